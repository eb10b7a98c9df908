// What floods over HTTP/2 cost the gateway until it cuts them off, beside what a request costs: processor time,
// which does not depend on what the attacker itself does to a machine that both share.
//
//     node bench/flood.mjs
//
// BENCH_ATTACKS (100) attacks of each kind, one after the other.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { floods } from "../tests/e2e/lib/floods.js";
import { flood } from "../tests/e2e/lib/http2.js";
import { example, Gateway } from "../tests/e2e/lib/mesh.js";
import { wrk } from "./wrk.mjs";

const attacks = Number(process.env.BENCH_ATTACKS ?? 100);
const seconds = Number(process.env.BENCH_SECONDS ?? 3);
const ticks = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

const cleanup = [];
const t = { after: (end) => cleanup.unshift(end) };

// Milliseconds that a process has computed so far.
function cpu(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
    return ((Number(fields[11]) + Number(fields[12])) / ticks) * 1000;
}

async function main() {
    const gateway = await Gateway.start(t, {
        release: true,
        routes: [{ path: "GET /hello", service: "hello_world" }],
    });
    await example(t, "hello_world", gateway, { release: true });
    const { pid } = gateway.program;

    let before = cpu(pid);
    const { rate } = await wrk(gateway.url("/hello"), { connections: 16, threads: 1, seconds });
    const request = (cpu(pid) - before) / (rate * seconds);
    console.log(`A request costs ${(request * 1000).toFixed(1)} µs.\n`);
    console.log("| flood | until it is cut off | as much as |\n|---|---:|---:|");
    for (const [name, bytes] of Object.entries(floods)) {
        before = cpu(pid);
        for (let i = 0; i < attacks; i++) {
            await flood({ after() {} }, gateway.httpPort, bytes);
        }
        const each = (cpu(pid) - before) / attacks;
        console.log(`| ${name} | ${each.toFixed(2)} ms | ${Math.round(each / request)} requests |`);
    }
}

try {
    await main();
} finally {
    for (const end of cleanup) {
        await end();
    }
}
