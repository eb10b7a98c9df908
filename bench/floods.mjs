// What others have of the gateway while one attacker floods it: GET /hello of 64 clients, alone and beside each flood,
// and the gateway's memory.
//
//     node bench/floods.mjs [BUILD [FLOOD...]]
//
// BENCH_SECONDS (4) for each measurement. The attacker, a process of its own, computes on the same processors as
// everything else: so the first row is one that only computes. FLOOD is a name of bench/strangers.mjs's.
import { closeSync, openSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { repository, scratch } from "../tests/e2e/lib/mesh.js";
import { Program } from "../tests/e2e/lib/program.js";
import { buildFolder, startBuilt } from "./built.mjs";
import { wrk } from "./wrk.mjs";

const seconds = Number(process.env.BENCH_SECONDS ?? 4);
const FLOODS = ["nothing", "old Handshakes", "FIND_NODE", "unproven connections", "aborted requests", "header lines",
    "clients that do not read", "streams that are reset"];
const TRIMMED_MS = 15_000; // after a flood memory is given back within this time
const cleanup = [];
const t = { after: (end) => cleanup.unshift(end) };

// MiB; `field` is VmRSS or VmHWM.
const memory = (program, field) => program.memory(field) / 2 ** 20;

async function measure(build, flood) {
    const { gateway, nodePort, files, url, stop } = await startBuilt(t, scratch(t), build,
        { workers: 1, serviceName: "hello_world" });
    closeSync(openSync(join(files, "large"), "w"));
    truncateSync(join(files, "large"), 8 << 20);
    const load = { connections: 64, threads: 1, seconds };
    const alone = await wrk(url("/hello"), load);
    const before = memory(gateway, "VmRSS");
    const attacker = new Program(t, process.execPath,
        [join(repository, "bench/strangers.mjs"), flood, String(nodePort), new URL(url("/")).port]);
    attacker.mayFail = true;
    await attacker.waitFor("attacking");
    const beside = await wrk(url("/hello"), load);
    const most = memory(gateway, "VmHWM");
    await attacker.kill();
    if (flood !== "nothing") {
        await pause(TRIMMED_MS);
    }
    const after = await wrk(url("/hello"), load);
    console.log(`| ${flood} | ${Math.round(alone.rate)}/s | ${(beside.rate / alone.rate).toFixed(2)} × | ` +
        `${alone.p99.toFixed(2)} ms | ${beside.p99.toFixed(2)} ms | ${(after.rate / alone.rate).toFixed(2)} × | ` +
        `${before.toFixed(0)}, ${most.toFixed(0)}, ${memory(gateway, "VmRSS").toFixed(0)} MiB |`);
    await stop();
}

const [build = "build", ...names] = process.argv.slice(2);
try {
    console.log("| flood | rate alone | beside it | p99 alone | beside it | rate afterwards | memory before, at most, afterwards |");
    console.log("|---|---:|---:|---:|---:|---:|---:|");
    for (const flood of names.length > 0 ? names : FLOODS) {
        await measure(buildFolder(build), flood);
    }
} finally {
    for (const end of cleanup) {
        await end();
    }
}
