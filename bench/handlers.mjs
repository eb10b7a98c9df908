// What a handler of each kind costs, beside an inline one: bench/handlers.c through one gateway.
//
//     node bench/handlers.mjs [BUILD [PART...]]
//
// PART is `rates`, `turns`, `bytes` or `slow`; all of them unless some are named.
//
// BENCH_PAIRS (9) rounds of BENCH_SECONDS (3) for each kind, alternating; the median of the quotients with the inline
// one of the same round counts. Then BENCH_BYTES (1e9) from a handler on the pool and to one, copied and not, three
// times: bytes and the service's processor time.
//
// Then, BENCH_PAIRS times, the rate of the pooled one beside 1,000 clients that read 10 MB each, 64 bytes a half
// second, and 1,000 that upload as slowly, and without them; and what memory that took.
//
// Turns of one byte each way over one stream (bench/turns.c), BENCH_PAIRS times: with a handler on the pool, and with a
// thread that takes from a queue. TURNS_BEFORE names the same program with an earlier library, which alternates with
// it then; how it is built is said in docs/performance.md.
import { execFile } from "node:child_process";
import { closeSync, mkdtempSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort, scratch } from "../tests/e2e/lib/mesh.js";
import { Program } from "../tests/e2e/lib/program.js";
import { buildFolder } from "./built.mjs";
import { median } from "./report.mjs";
import { wrk } from "./wrk.mjs";

const rounds = Number(process.env.BENCH_PAIRS ?? 9);
const seconds = Number(process.env.BENCH_SECONDS ?? 3);
const bytes = Number(process.env.BENCH_BYTES ?? 1e9);

const KINDS = ["inline", "pooled", "kept", "queued", "callback"];
const SOURCES = ["source", "source_lent"];
const SINKS = ["sink", "sink_lent"];
const cleanup = [];
const t = { after: (end) => cleanup.unshift(end) };

async function start(build) {
    const cwd = mkdtempSync(join(scratch(t), "gateway-"));
    const [nodePort, httpPort] = [await freePort(), await freePort()];
    const routes = [...KINDS, ...SOURCES, "turns"]
        .map((name) => `[[http.routes]]\npath = "GET /${name}"\nservice = "${name}"\n`)
        .concat(SINKS.map((name) => `[[http.routes]]\npath = "POST /${name}"\nservice = "${name}"\n`));
    writeFileSync(join(cwd, "config.toml"), `addr = "127.0.0.1:${nodePort}"
state_dir = "state"
workers = 1

[[http]]
addr = "127.0.0.1:${httpPort}"
timeout.min_rate = 0 # slow clients are what is measured

${routes.join("\n")}`);
    const gateway = new Program(t, join(build, "flatend"), [], { cwd });
    await gateway.waitFor("Listening for HTTP requests on");
    const service = new Program(t, join(build, "bench", "handlers"), [`127.0.0.1:${nodePort}`], { cwd });
    await gateway.waitFor(/has connected to you\. Services: \[/);
    return { build, cwd, gateway, service, url: (path) => `http://127.0.0.1:${httpPort}${path}` };
}

async function rates({ service, url }) {
    const results = Object.fromEntries(KINDS.map((kind) => [kind, []]));
    for (let round = 0; round < rounds; round++) {
        for (const kind of KINDS) {
            const used = service.processorTime();
            const { rate } = await wrk(url(`/${kind}`), { connections: 64, threads: 2, seconds });
            results[kind].push({ rate, cpu: ((service.processorTime() - used) * 1000) / (rate * seconds) });
        }
    }
    for (const kind of KINDS) {
        const quotients = results[kind].map(({ rate }, i) => rate / results.inline[i].rate);
        const rate = median(results[kind].map((result) => result.rate));
        const cpu = median(results[kind].map((result) => result.cpu));
        console.log(`${kind.padEnd(8)} ${rate.toFixed(0).padStart(8)} /s  ${cpu.toFixed(2)} µs/request  ` +
            `${median(quotients).toFixed(3)} × inline`);
    }
}

// Runs curl with these arguments; what it took, and the service's part.
async function curl(service, args) {
    const used = service.processorTime();
    const began = performance.now();
    const { stdout } = await promisify(execFile)("curl", ["-s", ...args]);
    return { stdout, took: (performance.now() - began) / 1000, cpu: (service.processorTime() - used) / 1000 };
}

function tell(name, { took, cpu }) {
    console.log(`${name.padEnd(11)} ${(bytes / took / 1e9).toFixed(3)} GB/s  service ` +
        `${(cpu / (bytes / 1e9)).toFixed(2)} s/GB`);
}

async function gigabyte({ cwd, service, url }) {
    const file = join(cwd, "body");
    closeSync(openSync(file, "w"));
    truncateSync(file, bytes); // a file of holes: nothing is read from a disk
    for (let i = 0; i < 3; i++) {
        for (const name of SOURCES) {
            const result = await curl(service, ["-o", "/dev/null", "-w", "%{size_download}", url(`/${name}?n=${bytes}`)]);
            if (Number(result.stdout) !== bytes) {
                throw new Error(`${name}: ${result.stdout} bytes of ${bytes}`);
            }
            tell(name, result);
        }
        for (const name of SINKS) {
            const result = await curl(service, ["-T", file, "-X", "POST", url(`/${name}`)]);
            if (Number(result.stdout) !== bytes) {
                throw new Error(`${name}: ${result.stdout} bytes of ${bytes}`);
            }
            tell(name, result);
        }
    }
}

const SLOW = 1000; // of each kind

async function slow({ build, cwd, gateway, service, url }) {
    const load = { connections: 64, threads: 2, seconds };
    const quotients = [];
    for (let round = 0; round < rounds; round++) {
        const { rate: alone } = await wrk(url("/pooled"), load);
        const clients = new Program(t, join(build, "bench", "slow_clients"), [new URL(url("/")).port, String(SLOW)], { cwd });
        await clients.waitFor("ready");
        await pause(1000); // until their handlers run
        const { rate: beside } = await wrk(url("/pooled"), load);
        clients.kill();
        await pause(500);
        quotients.push(beside / alone);
        console.log(`slow     ${alone.toFixed(0)} /s alone, ${beside.toFixed(0)} /s beside ${2 * SLOW} slow clients`);
    }
    console.log(`slow     ${median(quotients).toFixed(3)} x; most memory: service ` +
        `${(service.memory("VmHWM") / 2 ** 20).toFixed(0)} MiB, gateway ${(gateway.memory("VmHWM") / 2 ** 20).toFixed(0)} MiB`);
}

// { p50, p99 } in microseconds.
async function timeTurns(program, kind) {
    const { stdout } = await promisify(execFile)(program, ["20000", kind]);
    const [p50, p99] = stdout.split(" ").map(Number);
    return { p50, p99 };
}

async function turns({ build }) {
    const programs = { pool: [join(build, "bench", "turns"), "pool"], queue: [join(build, "bench", "turns"), "queue"] };
    if (process.env.TURNS_BEFORE) {
        programs.before = [process.env.TURNS_BEFORE, "pool"];
    }
    const results = Object.fromEntries(Object.keys(programs).map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
        for (const [name, args] of Object.entries(programs)) {
            results[name].push(await timeTurns(...args));
        }
    }
    for (const [name, list] of Object.entries(results)) {
        const of = (what) => median(list.map((result) => result[what])).toFixed(1);
        const beside = (what) => results.before
            ? `, ${median(list.map((result, i) => result[what] / results.before[i][what])).toFixed(2)} × before` : "";
        console.log(`turns    ${name.padEnd(6)}  p50 ${of("p50")} µs${beside("p50")}; p99 ${of("p99")} µs${beside("p99")}`);
    }
}

const PARTS = { rates, turns, bytes: gigabyte, slow };
const [build = "build", ...parts] = process.argv.slice(2);
const running = await start(buildFolder(build));
try {
    for (const part of parts.length > 0 ? parts : Object.keys(PARTS)) {
        await PARTS[part](running);
    }
    await running.service.stop();
    await running.gateway.stop();
} finally {
    for (const end of cleanup) {
        await end();
    }
}
