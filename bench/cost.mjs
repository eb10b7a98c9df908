// What one request costs: instructions (valgrind's callgrind) and system calls (strace), counted and not timed, so
// that they hardly depend on what else the machine does.
//
//     node bench/cost.mjs [--json FILE] BUILD [BUILD]
//
// BUILD is what `make` leaves in build/, or the FILE of an earlier run; the second one is compared with the first.
// Each load runs with BENCH_REQUESTS (1000) requests and again with twice as many, in programs that are started
// anew: the difference has neither their start nor their end in it. The median of BENCH_RUNS (5) such pairs counts.
//
// One connection repeats itself: within 0.5 % for instructions, and 2 % for system calls, as epoll_wait() may find
// two events at once. With many connections or a pool of threads it depends on which comes first: within 3 %, and for
// futex() 10 %.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { scratch } from "../tests/e2e/lib/mesh.js";
import { progress } from "./alternate.mjs";
import { buildFolder, startBuilt } from "./built.mjs";
import { h2load } from "./h2load.mjs";
import { median } from "./report.mjs";

const requests = Number(process.env.BENCH_REQUESTS ?? 1000);
const runs = Number(process.env.BENCH_RUNS ?? 5);

// One request after the other, so that each has turns of the loop of its own and the counts repeat; then many at
// once, which share them.
const LOADS = {
    "GET /hello": { path: "/hello", serviceName: "hello_world", connections: 1, http1: true },
    "GET /hello, 64 connections": { path: "/hello", serviceName: "hello_world", connections: 64, http1: true },
    "GET /count, a handler on the pool": { path: "/count", serviceName: "count", connections: 1, http1: true },
    "file of 1 KiB": { path: "/small.txt", connections: 1, http1: true },
    "GET /hello, HTTP/2": { path: "/hello", serviceName: "hello_world", connections: 1 },
    "GET /hello, HTTP/2, 10 streams": { path: "/hello", serviceName: "hello_world", connections: 1, streams: 10 },
};

const cleanup = [];
const t = { after: (end) => cleanup.unshift(end) };

// Waits until `path` holds what matches, for tools that write it after the program has ended.
async function contents(path, pattern) {
    for (let tries = 0; tries < 500; tries++) {
        const text = readFileSync(path, { encoding: "utf8", flag: "a+" });
        if (pattern.test(text)) {
            return text;
        }
        await pause(20);
    }
    throw new Error(`${path} remains without ${pattern}`);
}

// Each tool counts in a program that it runs, into a file: { name: count }.
const TOOLS = {
    instructions: {
        prefix: (path) => ["valgrind", "--quiet", "--tool=callgrind", `--callgrind-out-file=${path}`],
        async read(path) {
            const text = await contents(path, /^totals: \d+$/m);
            return { instructions: Number(text.match(/^totals: (\d+)$/m)[1]) };
        },
    },
    "system calls": {
        // -D: the program remains our child, and gets our signals.
        prefix: (path) => ["strace", "-D", "-f", "-c", "-U", "calls,name", "-o", path],
        async read(path) {
            const text = await contents(path, /^\s*\d+ total$/m);
            return Object.fromEntries([...text.matchAll(/^\s*(\d+) (\w+)$/gm)]
                .map(([, count, name]) => [name === "total" ? "system calls" : name, Number(count)]));
        },
    },
};

// What one load costs in all: { gateway: { name: count }, service: ... }.
async function count(folder, build, tool, load, n, env) {
    const path = (name) => join(folder, `${name}.counts`);
    const built = await startBuilt(t, folder, build, {
        workers: 1,
        serviceName: load.serviceName,
        prefix: (name) => tool.prefix(path(name)),
        env,
    });
    await h2load(built.url(load.path), { ...load, requests: n });
    await built.stop();
    const names = ["gateway", ...(load.serviceName ? ["service"] : [])];
    return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await tool.read(path(name))])));
}

// What one more request costs.
async function perRequest(folder, build, tool, load, env) {
    const pair = [];
    for (const n of [requests, 2 * requests]) {
        pair.push(await count(mkdtempSync(join(folder, "run-")), build, tool, load, n, env));
    }
    const [once, twice] = pair;
    return Object.fromEntries(Object.keys(twice).map((name) => [
        name,
        Object.fromEntries(Object.keys(twice[name])
            .map((what) => [what, (twice[name][what] - (once[name][what] ?? 0)) / requests])),
    ]));
}

// The median of each number in `costs`, all of the same shape but for numbers that are zero.
function medians(costs) {
    const result = {};
    for (const name of Object.keys(costs[0])) {
        const whats = new Set(costs.flatMap((cost) => Object.keys(cost[name])));
        result[name] = {};
        for (const what of whats) {
            const value = median(costs.map((cost) => cost[name][what] ?? 0));
            if (Math.abs(value) >= 0.005) {
                result[name][what] = Number(value.toFixed(what === "instructions" ? 0 : 3));
            }
        }
    }
    return result;
}

// Compiles what is preloaded into the programs under valgrind.
function compileShim(folder) {
    const library = join(folder, "openat2.so");
    const source = join(dirname(fileURLToPath(import.meta.url)), "valgrind_openat2.c");
    execFileSync("cc", ["-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", "-o", library, source]);
    return library;
}

// { load: { gateway: { instructions, "system calls", epoll_wait, ... }, service: ... } }
async function measure(folder, build) {
    const shim = compileShim(folder);
    const result = {};
    for (const [name, load] of Object.entries(LOADS)) {
        result[name] = {};
        for (const [measured, tool] of Object.entries(TOOLS)) {
            const env = measured === "instructions" ? { LD_PRELOAD: shim } : {};
            const costs = [];
            for (let run = 1; run <= runs; run++) {
                progress(`${build}: ${name}, ${measured}, ${run} of ${runs}`);
                costs.push(await perRequest(folder, build, tool, load, env));
            }
            for (const [program, counts] of Object.entries(medians(costs))) {
                result[name][program] = { ...result[name][program], ...counts };
            }
        }
    }
    progress("");
    return result;
}

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

// "2 read, 2 write, 3 epoll_wait"
function calls(counts) {
    return Object.entries(counts)
        .filter(([name, value]) => !Object.hasOwn(TOOLS, name) && value >= 0.05)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => `${NUMBER.format(value)} ${name}`)
        .join(", ");
}

// `results`: one or two of measure(); the second is compared with the first.
function table(results) {
    const rows = [];
    for (const load of Object.keys(results[0])) {
        for (const program of Object.keys(results[0][load])) {
            for (const measured of Object.keys(TOOLS)) {
                const values = results.map((result) => result[load][program][measured] ?? 0);
                const last = results.at(-1)[load][program];
                const ratio = values.length > 1 ? `${(values[1] / values[0]).toFixed(3)} ×` : "";
                rows.push([load, program, measured, ...values.map((value) => NUMBER.format(value)),
                    ...(values.length > 1 ? [ratio] : []), measured === "system calls" ? calls(last) : ""]);
            }
        }
    }
    const columns = results.length > 1 ? ["before", "after", "ratio"] : ["each request"];
    return [
        `| load | program | measure | ${columns.join(" | ")} | which |`,
        `|---|---|---|${columns.map(() => "---:|").join("")}---|`,
        ...rows.map((row) => `| ${row.join(" | ")} |`),
    ].join("\n");
}

async function main() {
    const { values, positionals } = parseArgs({ options: { json: { type: "string" } }, allowPositionals: true });
    if (positionals.length < 1 || positionals.length > 2) {
        console.error("usage: node bench/cost.mjs [--json FILE] BUILD [BUILD]");
        process.exit(2);
    }
    const builds = positionals.map((path) => (path.endsWith(".json") ? path : buildFolder(path)));
    const folder = scratch(t);
    const results = [];
    for (const build of builds) {
        results.push(build.endsWith(".json")
            ? JSON.parse(readFileSync(build, "utf8"))
            : await measure(folder, build));
    }
    console.log(table(results));
    if (values.json) {
        writeFileSync(values.json, `${JSON.stringify(results.at(-1), null, 4)}\n`);
    }
}

try {
    await main();
} finally {
    for (const end of cleanup) {
        await end();
    }
}
