// Medians, the table, and its place in docs/performance.md.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import os from "node:os";

export function median(numbers) {
    const sorted = [...numbers].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// The first line that a program prints about its version.
function version(command, ...args) {
    try {
        const text = execFileSync("sh", ["-c", '"$@" 2>&1 || true', "sh", command, ...args], {
            encoding: "utf8",
        });
        return text.match(/\d+\.\d+[\w.]*/)?.[0] ?? "?";
    } catch {
        return "?";
    }
}

export function machine() {
    const [cpu] = os.cpus();
    const system = readFileSync("/etc/os-release", "utf8").match(/^PRETTY_NAME="(.*)"$/m)[1];
    return (
        `${os.cpus().length} × ${cpu.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ` +
        `${system}, Linux ${os.release()}; nginx ${version("/usr/sbin/nginx", "-v")}, ` +
        `HAProxy ${version("/usr/sbin/haproxy", "-v")}, wrk ${version("wrk", "-v")}, ` +
        `h2load ${version("h2load", "--version")}. ` +
        "The load comes from the same machine."
    );
}

const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

const FORMATS = {
    rate: (value) => `${NUMBER.format(Math.round(value))} /s`,
    calls: (value) => `${NUMBER.format(Math.round(value))} /s`,
    bytes: (value) => `${NUMBER.format(value / 1e9)} GB/s`,
    p50: (value) => `${NUMBER.format(value)} ms`,
    p99: (value) => `${NUMBER.format(value)} ms`,
};

// `results`: [{ load, metric, contender, values, baseline }], where values and baseline (the runs of
// ours) are in the order of the pairs. The last column is the median of the pairs' quotients.
export function table(results) {
    const rows = results.map(({ load, metric, contender, values, baseline }) => {
        const quotient = median(values.map((value, i) => baseline[i] / value));
        const what = metric === "rate" ? "requests" : metric;
        const ratio = values === baseline ? "" : `${quotient.toFixed(2)} ×`;
        return `| ${load} | ${what} | ${contender} | ${FORMATS[metric](median(values))} | ${ratio} |`;
    });
    return [
        "| load | measure | who | median | flatend compared |",
        "|---|---|---|---:|---:|",
        ...rows,
    ].join("\n");
}

// Replaces what is between the marks.
export function publish(path, text) {
    const page = readFileSync(path, "utf8");
    const marked = /<!-- bench:begin -->[^]*<!-- bench:end -->/;
    if (!marked.test(page)) {
        throw new Error(`${path} has no marks for the table`);
    }
    writeFileSync(path, page.replace(marked, () =>
        `<!-- bench:begin -->\n${text}\n<!-- bench:end -->`));
}
