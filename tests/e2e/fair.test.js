// No request waits for others, and much costs little memory: what windows are for. Measured on the release
// build.
import assert from "node:assert/strict";
import http from "node:http";
import { connect } from "node:net";
import { once } from "node:events";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { assertMemory, GiB, KiB, MiB } from "./lib/big.js";
import { example, Gateway, scratch } from "./lib/mesh.js";
import { Program } from "./lib/program.js";

// How much passes through while others are timed: FLATEND_BIG=8 for eight times as much.
const BIG = Number(process.env.FLATEND_BIG ?? 1) * GiB;

function quantile(times, q) {
    const sorted = times.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

// One request; how many milliseconds until all of the answer, of `length` bytes, was there.
function timed(url, agent, { body, length }) {
    return new Promise((resolve, reject) => {
        const started = performance.now();
        const outgoing = http.request(url, { method: body ? "POST" : "GET", agent }, (response) => {
            let n = 0;
            response.on("data", (chunk) => (n += chunk.length));
            response.on("error", reject);
            response.on("end", () =>
                response.statusCode === 200 && n === length
                    ? resolve(performance.now() - started)
                    : reject(new Error(`status ${response.statusCode}, ${n} bytes`)));
        });
        outgoing.on("error", reject);
        outgoing.end(body);
    });
}

// A client that asks for an echo and never reads it: it is written to until no more is taken.
async function stall(port) {
    const socket = connect(port, "127.0.0.1");
    const block = Buffer.alloc(MiB);
    socket.on("error", () => {});
    socket.pause();
    socket.write(`POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: ${GiB}\r\n\r\n`);
    for (let taken = 0; ; taken += block.length) {
        assert.ok(taken < GiB / 4, `${taken} bytes were taken from a client that does not read`);
        if (!socket.write(block)) {
            const isStuck = await Promise.race([
                once(socket, "drain").then(() => false),
                new Promise((resolve) => setTimeout(resolve, 300, true)),
            ]);
            if (isStuck) {
                return socket;
            }
        }
    }
}

test("100 streams over one connection, one of them stalled", { timeout: 120_000 }, async (t) => {
    const OTHERS = 99;
    const ROUNDS = 5;
    const gateway = await Gateway.start(t, {
        release: true,
        routes: [{ path: "POST /pipe", service: "pipe" }],
        timeout: { write: "120s", min_rate: 0 },
        max: { body_size: 2 * GiB },
    });
    const pipe = await example(t, "pipe", gateway, { release: true });
    const agent = new http.Agent({ keepAlive: true, maxSockets: OTHERS });
    t.after(() => agent.destroy());
    const body = Buffer.alloc(64 * KiB);
    const round = () => Promise.all(Array.from({ length: OTHERS }, () =>
        timed(gateway.url("/pipe"), agent, { body, length: body.length })));

    const free = [];
    const beside = [];
    await round(); // connections are opened
    for (let i = 0; i < ROUNDS; i++) {
        free.push(...await round());
        const stalled = await stall(gateway.httpPort);
        beside.push(...await round());
        stalled.destroy();
        await once(stalled, "close");
    }
    const ratio = quantile(beside, 0.5) / quantile(free, 0.5);
    t.diagnostic(`median ${quantile(free, 0.5).toFixed(1)} ms, beside a stalled one ` +
        `${quantile(beside, 0.5).toFixed(1)} ms`);
    assert.ok(ratio < 1.5, `${ratio}`);
    for (const program of [gateway.program, pipe]) {
        assertMemory(t, program);
    }
});

test("a large download, and small requests beside it", { timeout: 600_000 }, async (t) => {
    const cwd = scratch(t);
    const path = join(cwd, "examples/file/main.c"); // what the service sends
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "");
    truncateSync(path, BIG);
    const gateway = await Gateway.start(t, {
        release: true,
        routes: [
            { path: "GET /hello", service: "hello_world" },
            { path: "GET /file", service: "file" },
        ],
    });
    const hello = await example(t, "hello_world", gateway, { release: true });
    const file = await example(t, "file", gateway, { release: true, cwd });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const ask = () => timed(gateway.url("/hello"), agent, { length: 12 });

    const free = [];
    const askAlone = async () => {
        for (let i = 0; i < 1000; i++) {
            free.push(await ask());
        }
    };
    await askAlone();
    const beside = [];
    const started = performance.now();
    const download = new Program(t, "curl", ["-sS", "-o", "/dev/null", "-w", "%{size_download}\n",
        gateway.url("/file")]);
    while (!download.status) {
        beside.push(await ask());
    }
    const rate = BIG / MiB / (performance.now() - started) * 1000;
    assert.deepEqual(await download.exit(), { code: 0, signal: null });
    assert.equal(Number(download.output), BIG);
    await askAlone();
    t.diagnostic(`${rate.toFixed(0)} MiB/s; hello ${beside.length} times: ` + [0.5, 0.99].map((q) =>
        `${quantile(free, q).toFixed(2)} -> ${quantile(beside, q).toFixed(2)} ms`).join(", "));
    // Some is for the processors that all of this shares: one that stood behind a window of the download
    // would wait far longer.
    assert.ok(quantile(beside, 0.99) < 2 * quantile(free, 0.99) + 20);
    for (const program of [gateway.program, hello, file]) {
        assertMemory(t, program);
    }
});
