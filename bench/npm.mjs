// How fast a service on the npm package flatend answers through the gateway: its small writes wait for our
// acknowledgements (Nagle's algorithm).
//
//     node bench/npm.mjs BUILD [OTHER]
//
// GET /hello on 64 connections, BENCH_PAIRS (7) runs of BENCH_SECONDS (3) each, all gateways and services alternating:
// for each build the service as it is, and one whose sockets have Nagle's algorithm switched off. Medians of the
// requests a second and of the service's share of a core; the quotients are medians of those of each round.
import { mkdtempSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePort, repository, scratch } from "../tests/e2e/lib/mesh.js";
import { Program } from "../tests/e2e/lib/program.js";
import { median } from "./report.mjs";
import { wrk } from "./wrk.mjs";

const rounds = Number(process.env.BENCH_PAIRS ?? 7);
const seconds = Number(process.env.BENCH_SECONDS ?? 3);
const shape = { connections: 64, threads: 1, seconds };

const NO_DELAY = `const { Socket } = require("net");
const { connect } = Socket.prototype;
Socket.prototype.connect = function (...args) { return connect.apply(this, args).setNoDelay(true); };
`;

const cleanup = [];
const t = { after: (end) => cleanup.unshift(end) };

async function start(build, hasDelay) {
    const cwd = mkdtempSync(join(scratch(t), "gateway-"));
    const [nodePort, httpPort] = [await freePort(), await freePort()];
    const addrs = [`127.0.0.1:${nodePort}`];
    writeFileSync(join(cwd, "no_delay.cjs"), NO_DELAY);
    writeFileSync(join(cwd, "config.toml"), `addr = "127.0.0.1:${nodePort}"
state_dir = "state"

[[http]]
addr = "127.0.0.1:${httpPort}"

[[http.routes]]
path = "GET /hello"
service = "hello"
`);
    const gateway = new Program(t, join(resolve(build), "flatend"), [], { cwd });
    await gateway.waitFor("Listening for HTTP requests on");
    const preload = hasDelay ? [] : ["--require", join(cwd, "no_delay.cjs")];
    const service = new Program(t, process.execPath,
        [...preload, join(repository, "tests/e2e/peers/node.cjs"), JSON.stringify({ addrs, services: ["hello"] })]);
    await service.waitFor("ready");
    const name = hasDelay ? build : `${build}, without Nagle's algorithm`;
    return { name, service, url: `http://127.0.0.1:${httpPort}/hello`, rates: [], shares: [] };
}

async function measure(one) {
    const before = one.service.processorTime();
    const { rate } = await wrk(one.url, shape);
    one.rates.push(rate);
    one.shares.push((one.service.processorTime() - before) / (seconds * 1000));
}

async function main(builds) {
    const all = [];
    for (const build of builds.length > 0 ? builds : ["build"]) {
        all.push(await start(build, true), await start(build, false));
    }
    for (let round = 0; round < rounds; round++) {
        for (const one of all) {
            await measure(one);
        }
    }
    console.log("| service behind | requests | to the first | of a core |\n|---|---:|---:|---:|");
    for (const { name, rates, shares } of all) {
        const ratio = median(rates.map((rate, i) => rate / all[0].rates[i]));
        console.log(`| ${name} | ${Math.round(median(rates))} /s | ${ratio.toFixed(2)} × ` +
            `| ${Math.round(100 * median(shares))} % |`);
    }
}

try {
    await main(process.argv.slice(2));
} finally {
    for (const end of cleanup) {
        await end();
    }
}
