// make bench: our gateway beside nginx and HAProxy, doing the same work on this machine.
//
//     node bench/bench.mjs [TEXT]
//
// BENCH_PAIRS (5) runs of BENCH_SECONDS (3) each for every contender, alternating; the table goes to standard
// output and into docs/performance.md. With TEXT only the loads whose name has it, and to standard output alone.
import assert from "node:assert/strict";
import { chmodSync, writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { repository, scratch } from "../tests/e2e/lib/mesh.js";
import { request } from "../tests/e2e/lib/http.js";
import { request2, session } from "../tests/e2e/lib/http2.js";
import { request as requestTls } from "../tests/e2e/lib/tls.js";
import { alternate } from "./alternate.mjs";
import {
    startBackend, startFlatend, startFlatendTls, startHaproxy, startNginxFiles, startNginxProxy, startNginxTls,
} from "./contenders.mjs";
import { machine, publish, table } from "./report.mjs";
import { h2load } from "./h2load.mjs";
import { handshakes } from "./handshakes.mjs";
import { measureMesh } from "./mesh.mjs";
import { wrk } from "./wrk.mjs";

const pairs = Number(process.env.BENCH_PAIRS ?? 5);
const seconds = Number(process.env.BENCH_SECONDS ?? 3);
const wanted = process.argv[2] ?? "";

// What the programs of the tests register with, so that all of them end when we do.
const cleanup = [];
const t = { after: (end) => cleanup.unshift(end) };

// All must do the same work: the same status, type and bytes.
async function compare(contenders, path, tool) {
    const replies = [];
    for (const [name, base] of contenders) {
        const ask = base.startsWith("https:") ? requestTls : request;
        const { status, headers, body } = tool === h2load
            ? await request2(session(t, { url: () => base }, { rejectUnauthorized: false }), path)
            : await ask(base + path, { rejectUnauthorized: false });
        replies.push({ name, status, type: headers["content-type"], body: body.toString("latin1") });
    }
    for (const { name, status, type, body } of replies) {
        assert.equal(status, 200, name);
        assert.equal(type, replies[0].type, name);
        assert.ok(body === replies[0].body, `${name} answers with another body`);
    }
}

// Runs one load for all `contenders` in turn, `pairs` times; the first of them is ours.
async function measure(load, contenders, path, metrics, shape, tool = wrk) {
    if (!load.includes(wanted)) {
        return [];
    }
    await compare(contenders, path, tool);
    const runs = await alternate(load, pairs,
        contenders.map(([name, base]) => [name, () => tool(base + path, { ...shape, seconds })]));
    return metrics.flatMap((metric) => {
        const baseline = runs[0].map((run) => run[metric]);
        return contenders.map(([contender], i) => ({
            load,
            metric,
            contender,
            baseline,
            values: i === 0 ? baseline : runs[i].map((run) => run[metric]),
        }));
    });
}

async function main() {
    const folder = scratch(t);
    const files = join(folder, "public");
    chmodSync(folder, 0o755);
    mkdirSync(files);
    writeFileSync(join(files, "small.txt"), "x".repeat(1024));
    writeFileSync(join(files, "large.txt"), "x".repeat(1024 * 1024));

    const ours = ["flatend", await startFlatend(t, files)];
    const backend = await startBackend(t, folder);
    const proxy = (name, ...rest) => startNginxProxy(t, folder, name, ...rest);
    const nginx = ["nginx to HTTP", await proxy("plain", "http", backend.plain, true)];
    const haproxy = ["HAProxy to HTTP", await startHaproxy(t, folder, backend.plain)];
    const kept = ["nginx to HTTPS", await proxy("kept", "https", backend.tls, true)];
    const fresh = ["nginx to HTTPS, no keep-alive", await proxy("fresh", "https", backend.tls, false)];
    const second = ["nginx to HTTP", await proxy("h2", "http", backend.plain, true, "http2")];
    const disk = ["nginx", await startNginxFiles(t, folder, files)];

    const ourTls = ["flatend", await startFlatendTls(t, folder, files)];
    const tls = [ourTls, ["nginx", await startNginxTls(t, folder, files)]];
    const secondTls = ["nginx to HTTP", await proxy("h2tls", "http", backend.plain, true, "ssl http2")];

    const many = { connections: 64, threads: 2 };
    const one = { connections: 1, threads: 1 };
    const results = [
        ...(await measure("GET /hello, 64 connections", [ours, nginx, haproxy], "/hello", ["rate", "p99"], many)),
        ...(await measure("GET /hello, 1 connection", [ours, nginx, haproxy, kept, fresh], "/hello",
            ["p50", "p99"], one)),
        ...(await measure("GET /hello, HTTP/2, 64 connections × 10", [ours, second], "/hello", ["rate"],
            { ...many, streams: 10 }, h2load)),
        ...(await measure("file of 1 KiB, 64 connections", [ours, disk], "/small.txt", ["rate"], many)),
        ...(await measure("file of 1 MiB, 64 connections", [ours, disk], "/large.txt", ["rate"], many)),
        ...(await measure("GET /hello, HTTP/2 over TLS, 64 connections × 10", [ourTls, secondTls], "/hello",
            ["rate"], { ...many, streams: 10 }, h2load)),
        ...(await measure("file of 1 KiB over TLS, a new connection each, 32 at a time", tls, "/small.txt",
            ["rate"], { connections: 32 }, handshakes)),
        ...(await measure("the same, but sessions are resumed", tls, "/small.txt",
            ["rate"], { connections: 32, threads: 2, closes: true })),
        ...(await measure("file of 1 KiB over TLS, 64 connections", tls, "/small.txt", ["rate"], many)),
        ...(await measure("file of 1 MiB over TLS, 64 connections", tls, "/large.txt", ["rate"], many)),
        ...(wanted === "" ? await measureMesh(t, pairs, seconds) : []),
    ];

    const text = `${machine()} Medians of ${pairs} runs of ${seconds} s each.\n\n${table(results)}`;
    console.log(text);
    if (wanted === "") {
        publish(join(repository, "docs/performance.md"), text);
    }
}

try {
    await main();
} finally {
    for (const end of cleanup) {
        await end();
    }
}
