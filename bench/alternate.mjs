// Runs that alternate, so that a machine that gets slower slows all of them.

// One line on a terminal, which the next one replaces.
export function progress(text) {
    if (process.stderr.isTTY) {
        process.stderr.write(`\r${text}\x1b[K`);
    }
}

// Each of `contenders`, [[name, run], ...], in its turn, `n` times: [[what the first one's runs gave, ...], ...].
export async function alternate(what, n, contenders) {
    const values = contenders.map(() => []);
    for (let i = 1; i <= n; i++) {
        for (const [which, [name, run]] of contenders.entries()) {
            progress(`${what}, ${name}, ${i} of ${n}`);
            values[which].push(await run());
        }
    }
    progress("");
    return values;
}

// The same as rows for report.mjs: runs give one number each, and the first contender is what the others are compared to.
export async function compareRuns(load, metric, n, contenders) {
    const runs = await alternate(load, n, contenders);
    return contenders.map(([contender], i) => ({ load, metric, contender, baseline: runs[0], values: runs[i] }));
}
