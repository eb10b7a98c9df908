// What one client waits for while many download: GET /hello on one connection, beside downloads of a large file.
//
//     node bench/fair.mjs [BUILD [OTHER]]
//
// BENCH_PAIRS (3) rounds for each build, alternating, with BENCH_DOWNLOADS (500) connections that fetch 100 MB each:
// median and 99th percentile of /hello without and with them, and what the downloads take.
import { execFile } from "node:child_process";
import { closeSync, mkdtempSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort, scratch } from "../tests/e2e/lib/mesh.js";
import { Program } from "../tests/e2e/lib/program.js";
import { buildFolder } from "./built.mjs";
import { wrk } from "./wrk.mjs";

const rounds = Number(process.env.BENCH_PAIRS ?? 3);
const downloads = Number(process.env.BENCH_DOWNLOADS ?? 500);
const SECONDS = 4;

const cleanup = [];
const t = { after: (end) => cleanup.unshift(end) };

async function start(build) {
    const cwd = mkdtempSync(join(scratch(t), "gateway-"));
    const [nodePort, httpPort] = [await freePort(), await freePort()];
    closeSync(openSync(join(cwd, "large"), "w"));
    truncateSync(join(cwd, "large"), 100e6); // a file of holes: nothing is read from a disk
    writeFileSync(join(cwd, "config.toml"), `addr = "127.0.0.1:${nodePort}"
state_dir = "state"
workers = 1

[[http]]
addr = "127.0.0.1:${httpPort}"

[[http.routes]]
path = "GET /hello"
service = "hello_world"

[[http.routes]]
path = "GET /files/*path"
static = ${JSON.stringify(cwd)}
`);
    const gateway = new Program(t, join(build, "flatend"), [], { cwd });
    await gateway.waitFor("Listening for HTTP requests on");
    const service = new Program(t, join(build, "examples", "hello_world"), [`127.0.0.1:${nodePort}`], { cwd });
    await gateway.waitFor(/has connected to you\. Services: \[/);
    return { gateway, service, url: (path) => `http://127.0.0.1:${httpPort}${path}` };
}

// In all, for as long as /hello is measured; bytes a second.
async function download(url) {
    const { stdout } = await promisify(execFile)("wrk",
        [`-c${downloads}`, "-t1", `-d${SECONDS + 3}s`, "--timeout", "60s", url]);
    return stdout.match(/Transfer\/sec:\s+(\S+)/)[1];
}

async function measure(build) {
    const { gateway, service, url } = await start(build);
    const load = { connections: 1, threads: 1, seconds: SECONDS };
    const alone = await wrk(url("/hello"), load);
    const transfer = download(url("/files/large"));
    await pause(2000); // until all of them are under way
    const beside = await wrk(url("/hello"), load);
    console.log(`${build}: p50 ${alone.p50.toFixed(2)} ms, p99 ${alone.p99} ms alone; p50 ${beside.p50.toFixed(2)} ms, p99 ${beside.p99} ms ` +
        `beside ${downloads} downloads, which take ${await transfer}/s`);
    await service.stop();
    await gateway.stop();
}

const builds = (process.argv.length > 2 ? process.argv.slice(2) : ["build"]).map(buildFolder);
try {
    for (let round = 0; round < rounds; round++) {
        for (const build of builds) {
            await measure(build);
        }
    }
} finally {
    for (const end of cleanup) {
        await end();
    }
}
