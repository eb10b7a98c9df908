// Two builds beside each other: how fast they answer, what memory they take, how large they are.
//
//     node bench/paired.mjs BEFORE AFTER
//
// BEFORE and AFTER are what `make` leaves in build/. The rate of GET /hello is that of bench.mjs: 64 connections,
// BENCH_PAIRS (9) runs of BENCH_SECONDS (3) each, alternating; the median of the pairs' quotients counts, as a
// machine that gets slower then slows both of a pair. That of the gateway's processor time a request stands beside it.
// Wants a machine of its own: beside a compiler, a build differs from itself by 20 %. Memory is the median of three
// starts, alternating too.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { connect } from "node:net";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { scratch } from "../tests/e2e/lib/mesh.js";
import { alternate } from "./alternate.mjs";
import { buildFolder, startBuilt } from "./built.mjs";
import { median } from "./report.mjs";
import { wrk } from "./wrk.mjs";

const pairs = Number(process.env.BENCH_PAIRS ?? 9);
const seconds = Number(process.env.BENCH_SECONDS ?? 3);

const STARTS = 3;
const CONNECTIONS = 1000;
const SETTLE_MS = 1000; // what a start or a burst of requests has freed goes back by then, if it ever does

const cleanup = [];
const t = { after: (end) => cleanup.unshift(end) };

// [[what BEFORE's runs gave, ...], [AFTER's, ...]].
function alternateBuilds(what, n, builds, run) {
    return alternate(what, n, ["before", "after"].map((name, i) => [name, () => run(builds[i])]));
}

// Both gateways run all the time: the one that waits its turn sleeps. [[{ rate, cpu (µs a request) }, ...], ...]
async function rates(folder, builds) {
    const running = [];
    for (const build of builds) {
        running.push(await startBuilt(t, folder, build, { serviceName: "hello_world" }));
    }
    const shape = { connections: 64, threads: 2, seconds };
    const values = await alternateBuilds("GET /hello", pairs, running, async ({ gateway, url }) => {
        const used = gateway.processorTime();
        const { rate } = await wrk(url("/hello"), shape);
        return { rate, cpu: ((gateway.processorTime() - used) * 1000) / (rate * seconds) };
    });
    for (const built of running) {
        await built.stop();
    }
    return values;
}

// One client that has been served and remains connected.
async function idleClient(url) {
    const { port, host, pathname } = new URL(url);
    const socket = connect(port, "127.0.0.1");
    socket.setEncoding("latin1");
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    let reply = "";
    while (!reply.includes("Hello world!")) {
        const [data] = await once(socket, "data");
        reply += data;
    }
    return socket;
}

// Resident bytes of a gateway that has nothing to do: { idle, connected }.
async function memory(folder, build) {
    const built = await startBuilt(t, folder, build, { serviceName: "hello_world" });
    await pause(SETTLE_MS);
    const idle = built.gateway.memory("VmRSS");
    const sockets = [];
    while (sockets.length < CONNECTIONS) {
        sockets.push(await idleClient(built.url("/hello")));
    }
    await pause(SETTLE_MS);
    const connected = built.gateway.memory("VmRSS");
    sockets.forEach((socket) => socket.destroy());
    await built.stop();
    return { idle, connected };
}

// Bytes of a file of the build: { whole, stripped }.
function sizes(folder, build, name) {
    const stripped = join(folder, "stripped");
    execFileSync("strip", ["-o", stripped, join(build, name)]);
    return { whole: statSync(join(build, name)).size, stripped: statSync(stripped).size };
}

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const kib = (bytes) => `${NUMBER.format(bytes / 1024)} KiB`;
const microseconds = (value) => `${value.toFixed(2)} µs`;
const perSecond = (rate) => `${NUMBER.format(rate)} /s`;

// The quotient of the medians, or of the pairs if they were run as such.
function row(what, [before, after], format, isPaired = false) {
    const ratio = isPaired
        ? median(after.map((value, i) => value / before[i]))
        : median(after) / median(before);
    return `| ${what} | ${format(median(before))} | ${format(median(after))} | ${ratio.toFixed(3)} × |`;
}

async function main([before, after, ...rest]) {
    if (!after || rest.length > 0) {
        console.error("usage: node bench/paired.mjs BEFORE AFTER");
        process.exit(2);
    }
    const builds = [before, after].map(buildFolder);
    const folder = scratch(t);
    const [busy] = os.loadavg();
    const answered = await rates(folder, builds);
    const rate = answered.map((runs) => runs.map((run) => run.rate));
    const used = await alternateBuilds("memory", STARTS, builds, (build) => memory(folder, build));
    const rows = [
        row(`GET /hello, 64 connections, ${pairs} pairs`, rate, perSecond, true),
        row("the same, the gateway's processor time a request",
            answered.map((runs) => runs.map((run) => run.cpu)), microseconds, true),
        row("memory, idle", used.map((starts) => starts.map(({ idle }) => idle)), kib),
        row(`memory, ${CONNECTIONS} idle connections`,
            used.map((starts) => starts.map(({ connected }) => connected)), kib),
        ...["flatend", "libflatend.so"].flatMap((name) => {
            const both = builds.map((build) => sizes(folder, build, name));
            return [
                row(name, both.map(({ whole }) => [whole]), kib),
                row(`${name}, stripped`, both.map(({ stripped }) => [stripped]), kib),
            ];
        }),
    ];
    console.log(["| | before | after | ratio |", "|---|---:|---:|---:|", ...rows].join("\n"));
    const quotients = rate[1].map((value, i) => (value / rate[0][i]).toFixed(3));
    console.log(`\nThe rates' quotients: ${quotients.join(", ")}; load average before: ${busy.toFixed(2)}.`);
}

try {
    await main(process.argv.slice(2));
} finally {
    for (const end of cleanup) {
        await end();
    }
}
