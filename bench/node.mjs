// Services in JavaScript behind the gateway, beside nginx in front of the same work on node:http.
//
//     node bench/node.mjs
//
// BENCH_PAIRS (5) runs of BENCH_SECONDS (3) each for every contender, alternating; the table is docs/performance.md's.
import assert from "node:assert/strict";
import { exec } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Gateway, freePort, release, repository, scratch } from "../tests/e2e/lib/mesh.js";
import { Program } from "../tests/e2e/lib/program.js";
import { compareRuns } from "./alternate.mjs";
import { startBackend, startNginxProxy } from "./contenders.mjs";
import { machine, table } from "./report.mjs";
import { wrk } from "./wrk.mjs";

const pairs = Number(process.env.BENCH_PAIRS ?? 5);
const seconds = Number(process.env.BENCH_SECONDS ?? 3);
const GIGABYTE = 2 ** 30;
const shell = promisify(exec);
const cleanup = [];
const t = { after: (end) => cleanup.unshift(end) };
process.env.NODE_ENV = "production";

async function program(kind, where) {
    const started = new Program(t, process.execPath, [join(repository, "bench/node_programs.cjs"), kind, String(where)]);
    started.killed = true; // how it ends does not matter
    await started.waitFor(/^ready/);
    return started;
}

const rate = (url) => async () => (await wrk(url, { connections: 64, threads: 1, seconds })).rate;

// A gigabyte by curl, which computes less than any client of ours: bytes a second.
const download = (url) => async () => {
    const { stdout } = await shell(`curl -sf -o /dev/null -w '%{time_total} %{size_download}' ${url}`);
    const [time, size] = stdout.split(" ").map(Number);
    assert.equal(size, GIGABYTE);
    return GIGABYTE / time;
};

// The answer is how much has come.
const upload = (url) => async () => {
    const { stdout } = await shell(`head -c ${GIGABYTE} /dev/zero | curl -sf -T - -X POST -w ' %{time_total}' ${url}`);
    const [size, time] = stdout.split(" ").map(Number);
    assert.equal(size, GIGABYTE);
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

const mebibytes = (bytes) => Math.round(bytes / 2 ** 20);

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

    const compare = (load, metric, ...contenders) => compareRuns(load, metric, pairs, contenders);
    const results = [
        ...(await compare("GET /hello, 64 connections", "rate",
            ["a service on the SDK", rate(gateway.url("/hello"))], ["nginx to node:http", rate(`${nginx}/hello`)])),
        ...(await compare("Express 5, 64 connections", "rate",
            ["fromHttp", rate(gateway.url("/hello2"))], ["nginx to the app", rate(`${nginxExpress}/hello`)])),
        ...(await compare("1 GiB from a service", "bytes",
            ["on the SDK", download(gateway.url("/gigabyte"))], ["nginx to node:http", download(`${nginx}/gigabyte`)])),
        ...(await compare("1 GiB to a service", "bytes",
            ["on the SDK", upload(gateway.url("/discard"))], ["nginx to node:http", upload(`${nginx}/discard`)])),
        ...(await compare("calls of a C service, 64 at a time", "calls", ["node.call", calls])),
    ];
    console.log(`${machine()} Medians of ${pairs} runs of ${seconds} s each.\n\n${table(results)}`);
    console.log(`Memory of the service: at most ${mebibytes(services.memory("VmHWM"))} MiB, ` +
        `in the end ${mebibytes(services.memory("VmRSS"))} MiB.`);
}

try {
    await main();
} finally {
    for (const end of cleanup) {
        await end();
    }
}
