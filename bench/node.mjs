// Services in JavaScript behind the gateway, beside nginx in front of the same work on node:http.
//
//     node bench/node.mjs
//
// BENCH_PAIRS (5) runs of BENCH_SECONDS (3) each for every contender, alternating; the table is docs/performance.md's.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Gateway, freePort, release, repository, scratch } from "../tests/e2e/lib/mesh.js";
import { Program } from "../tests/e2e/lib/program.js";
import { startBackend, startNginxProxy } from "./contenders.mjs";
import { machine, table } from "./report.mjs";
import { wrk } from "./wrk.mjs";

const pairs = Number(process.env.BENCH_PAIRS ?? 5);
const seconds = Number(process.env.BENCH_SECONDS ?? 3);
const GIGABYTE = 2 ** 30;
const cleanup = [];
const t = { after: (end) => cleanup.unshift(end) };
process.env.NODE_ENV = "production";

async function program(kind, where, runtime = process.execPath) {
    const started = new Program(t, runtime, [join(repository, "bench/node_programs.cjs"), kind, String(where)]);
    started.killed = true; // how it ends does not matter
    await started.waitFor(/^ready/);
    return started;
}

async function alternate(load, metric, contenders) {
    const values = contenders.map(() => []);
    for (let pair = 0; pair < pairs; pair++) {
        for (const [i, [, measure]] of contenders.entries()) {
            values[i].push(await measure());
        }
    }
    return contenders.map(([contender], i) => ({ load, metric, contender, baseline: values[0], values: values[i] }));
}

const rate = (url) => async () => (await wrk(url, { connections: 64, threads: 1, seconds })).rate;

// Bytes a second of one transfer, by curl, which computes less than any client of ours.
const transfer = (args, check) => async () => {
    const { stdout } = await promisify(execFile)("bash", ["-c",
        `${args.startsWith("-T") ? `head -c ${GIGABYTE} /dev/zero | ` : ""}curl -sf ${args} -w '\\n%{time_total} %{size_download}'` +
        `${check === undefined ? " -o /dev/null" : ""}`]);
    const [body, last] = stdout.trim().split("\n").length > 1 ? stdout.trim().split("\n") : [undefined, stdout.trim()];
    const [time, size] = last.split(" ").map(Number);
    assert.equal(check === undefined ? size : Number(body), GIGABYTE);
    return GIGABYTE / time;
};

// The service joins the caller: it has no key, and cannot be dialed.
async function calls() {
    const caller = await program("calls", "127.0.0.1:0");
    const address = caller.lines.find((line) => line.startsWith("ready")).split(" ")[1];
    const service = new Program(t, join(release, "examples/counter"), [address]);
    await caller.waitFor(/^calls /); // the first second is for the compiler
    const line = await caller.waitFor(/^calls /);
    await service.kill();
    await caller.kill();
    return Number(line.split(" ")[1]);
}

function memory(pid, field) {
    return Number(readFileSync(`/proc/${pid}/status`, "utf8").match(new RegExp(`^${field}:\\s+(\\d+)`, "m"))[1]) / 1024;
}

async function main() {
    const folder = scratch(t);
    const routes = ["GET /hello hello", "GET /hello2 express", "GET /gigabyte gigabyte", "POST /discard discard"]
        .map((line) => line.split(" "))
        .map(([method, path, service]) => ({ path: `${method} ${path}`, service, timeout: "60s" }));
    const gateway = await Gateway.start(t, { release: true, routes });
    const services = await program("services", gateway.address);
    await gateway.joined("hello");
    await startBackend(t, folder); // its keys
    const httpPort = await freePort();
    await program("http", httpPort);
    const expressPort = await freePort();
    await program("express", expressPort);
    const nginx = await startNginxProxy(t, folder, "node", "http", `127.0.0.1:${httpPort}`, true);
    const nginxExpress = await startNginxProxy(t, folder, "express", "http", `127.0.0.1:${expressPort}`, true);

    const results = [
        ...(await alternate("GET /hello, 64 connections", "rate", [["a service on the SDK", rate(gateway.url("/hello"))],
            ["nginx to node:http", rate(`${nginx}/hello`)]])),
        ...(await alternate("Express 5, 64 connections", "rate", [["fromHttp", rate(gateway.url("/hello2"))],
            ["nginx to the app", rate(`${nginxExpress}/hello`)]])),
        ...(await alternate("1 GiB from a service", "bytes", [["on the SDK", transfer(gateway.url("/gigabyte"))],
            ["nginx to node:http", transfer(`${nginx}/gigabyte`)]])),
        ...(await alternate("1 GiB to a service", "bytes", [["on the SDK", transfer(`-T - -X POST ${gateway.url("/discard")}`, true)],
            ["nginx to node:http", transfer(`-T - -X POST ${nginx}/discard`, true)]])),
        ...(await alternate("calls of a C service, 64 at a time", "calls", [["node.call", calls]])),
    ];
    console.log(`${machine()} Medians of ${pairs} runs of ${seconds} s each.\n\n${table(results)}`);
    console.log(`Memory of the service: at most ${Math.round(memory(services.child.pid, "VmHWM"))} MiB, ` +
        `in the end ${Math.round(memory(services.child.pid, "VmRSS"))} MiB.`);
}

try {
    await main();
} finally {
    for (const end of cleanup) {
        await end();
    }
}
