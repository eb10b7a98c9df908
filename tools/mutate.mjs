#!/usr/bin/env node
// Do the invariants bite? Makes mutants of each state machine (one changed line each), builds them in
// a copy of the tree and runs the machine's tests, without the invariants (FE_ASSERT and FE_CHECK do
// nothing) and with them. Prints a Markdown table; survivors go to build/mutants/survivors.txt.
//
//     tools/mutate.mjs [--mutants N] [--seed N] [--jobs N] [MACHINE...]
//
// The same seed makes the same mutants of the same sources. Needs what `scripts/setup test` installs.
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

const repository = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const scratch = join(repository, "build/mutants");
const TEST_TIMEOUT_MS = 60_000;

// What a machine is made of, and the tests that are about it.
const machines = {
    timers: [["src/ground/base/timer.c"], ["unit_timer", "fault_base"]],
    stream: [
        ["src/mesh/rpc/stream.c", "src/mesh/rpc/life.c", "src/mesh/rpc/receive.c"],
        ["unit_rpc_stream", "unit_rpc_pair", "unit_rpc_secure", "unit_rpc_model", "unit_rpc_peer",
            "unit_rpc_window", "fault_rpc"],
    ],
    window: [["src/mesh/rpc/window.c"],
        ["unit_rpc_window", "unit_rpc_secure", "unit_rpc_pair", "unit_rpc_model"]],
    call: [["src/mesh/rpc/call.c"], ["unit_call", "unit_call_secure", "fault_rpc"]],
    peer: [["src/mesh/rpc/peer.c", "src/mesh/rpc/events.c", "src/mesh/rpc/control.c"],
        ["unit_rpc_peer", "unit_rpc_stream", "unit_rpc_secure", "unit_rpc_pair",
            "unit_rpc_window", "unit_rpc_model", "fault_rpc"]],
    registry: [["src/mesh/rpc/registry.c", "src/mesh/rpc/balance.c"],
        ["unit_registry", "unit_balance", "unit_call", "fault_rpc"]],
    session: [
        ["src/mesh/session/session.c", "src/mesh/session/record.c",
            "src/mesh/session/secure_handshake.c", "src/mesh/session/secure_sender.c",
            "src/mesh/session/old_sender.c", "src/mesh/session/secure_events.c",
            "src/mesh/session/secure_head.c"],
        ["unit_session", "unit_session_secure", "unit_session_hostile", "unit_session_heads",
            "unit_session_secure_hostile", "unit_session_nonces", "unit_session_trust",
            "unit_session_attack", "unit_session_secure_keys", "unit_session_secure_vectors",
            "split_session", "fault_session"],
    ],
    link: [
        ["src/mesh/net/link.c", "src/mesh/net/dial.c", "src/mesh/net/join.c",
            "src/mesh/net/goaway.c", "src/mesh/net/keepalive.c"],
        ["unit_mesh_link", "unit_mesh_join", "unit_mesh_goaway", "unit_mesh_keepalive",
            "unit_mesh_trust", "unit_mesh_peer_info", "fault_mesh"],
    ],
    exchange: [["src/web/http/exchange.c", "src/web/http/filter.c", "src/web/http/problem.c"],
        ["unit_filter", "unit_h1_server", "unit_message", "unit_static", "unit_tunnel",
            "fault_filter"]],
    h1: [["src/web/http/h1/server.c", "src/web/http/h1/response.c", "src/web/http/h1/timeout.c"],
        ["unit_h1_server", "unit_tunnel", "fault_h1"]],
    h2: [
        ["src/web/http/h2/server.c", "src/web/http/h2/stream.c", "src/web/http/h2/request.c",
            "src/web/http/h2/response.c", "src/web/http/h2/timeout.c"],
        ["unit_h2_server", "unit_h2_hostile", "unit_tunnel", "split_h2", "fault_h2"],
    ],
    crossing: [
        ["src/gateway/relay/crossing.c", "src/gateway/relay/crossing_near.c",
            "src/gateway/relay/crossing_far.c"],
        ["unit_crossing", "unit_crossing_ends", "unit_crossing_flow", "unit_crossing_random",
            "unit_tunnel", "fault_crossing"],
    ],
    store: [["src/web/tls/store.c"], ["unit_tls_store", "unit_tls", "fault_tls"]],
    acme: [
        ["src/web/acme/acme.c", "src/web/acme/account.c", "src/web/acme/order.c",
            "src/web/acme/authorization.c", "src/web/acme/post.c", "src/web/acme/wait.c"],
        ["unit_acme", "fault_acme"],
    ],
};

// ---- mutants ----------------------------------------------------------------------------------

const swaps = [
    [" < ", " <= "], [" <= ", " < "], [" > ", " >= "], [" >= ", " > "], [" == ", " != "],
    [" != ", " == "], [" && ", " || "], [" || ", " && "], [" + ", " - "], [" - ", " + "],
    [" += ", " -= "], [" -= ", " += "], ["++;", "--;"], ["--;", "++;"],
    [" = true;", " = false;"], [" = false;", " = true;"], ["return true;", "return false;"],
    ["return false;", "return true;"],
];
const deletable = /^\s+(?:[a-z_][\w>.\-[\]]*(?:->|\.)[\w>.\-[\]]+ [-+|&]?= .*;|\(void\)[a-z_]\w*\(.*\);|[a-z_]\w*\(.*\);)$/;
const untouched = /FE_ASSERT|FE_CHECK|FE_UNREACHABLE|fe_log|fe_err_|snprintf|^\s*(?:\/?\*|#|case|static|const|struct|extern)/;

function variantsOf(line) {
    const variants = [];
    for (const [from, to] of swaps) {
        for (let at = line.indexOf(from); at >= 0; at = line.indexOf(from, at + 1)) {
            variants.push(line.slice(0, at) + to + line.slice(at + from.length));
        }
    }
    const condition = /^(\s+(?:\} else )?if \()(.*)(\) \{)$/.exec(line);
    if (condition) {
        variants.push(`${condition[1]}!(${condition[2]})${condition[3]}`);
    }
    if (deletable.test(line)) {
        variants.push(`${/^\s+/.exec(line)[0]};`);
    }
    return variants;
}

// Every mutant of the lines inside functions; what checks invariants is not mutated.
function mutantsOf(file) {
    const lines = readFileSync(join(repository, file), "utf8").split("\n");
    const found = [];
    let body = false;
    let check = false;
    lines.forEach((line, index) => {
        if (/^\w.*\w\(/.test(line)) {
            check = /_check\(|\bcheck_/.test(line);
        }
        body = line === "{" ? true : line === "}" ? false : body;
        if (!body || check || untouched.test(line)) {
            return;
        }
        for (const text of variantsOf(line)) {
            found.push({ file, index, before: line, text });
        }
    });
    return found;
}

// A linear congruential generator (Numerical Recipes): reproducible, and good enough to choose.
function shuffled(items, seed) {
    let state = seed >>> 0;
    const order = [...items];
    for (let i = order.length - 1; i > 0; i--) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        const k = Math.floor((state / 2 ** 32) * (i + 1));
        [order[i], order[k]] = [order[k], order[i]];
    }
    return order;
}

// At most one mutant a line, so that the sample spreads.
function choose(files, seed) {
    const lines = new Set();
    return shuffled(files.flatMap(mutantsOf), seed).filter((mutant) => {
        const key = `${mutant.file}:${mutant.index}`;
        return !lines.has(key) && lines.add(key);
    });
}

// ---- building and running ---------------------------------------------------------------------

function run(command, args, options = {}) {
    return new Promise((resolve) => {
        const child = spawn(command, args, { stdio: "ignore", ...options });
        child.on("exit", (code, signal) => resolve(signal ?? code));
        child.on("error", () => resolve("error"));
    });
}

const off = `#define FE_GROUND_BASE_ASSERT_H
#define FE_ASSERT(condition, guards) ((void)sizeof(!(condition)))
#define FE_UNREACHABLE(guards) __builtin_trap()
#define FE_CHECK(call) ((void)0)
_Noreturn void fe_assert_fail(const char *);
`;

// A copy of the tree with two build folders: "without" and "with" the invariants.
async function makeCopy(job) {
    const copy = join(scratch, `copy-${job}`);
    const header = join(scratch, "off.h");
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy, { recursive: true });
    writeFileSync(header, off);
    execFileSync("bash", ["-c",
        'set -o pipefail; git ls-files -co --exclude-standard -z | tar -c --null -T - | tar -x -C "$1"',
        "copy", copy], { cwd: repository });
    for (const [name, flags] of [["with", ""], ["without", ` -UFLATEND_INVARIANTS -include ${header}`]]) {
        const status = await run("cmake", ["--preset", "sanitize", "-B", join(copy, "build", name),
            `-DFLATEND_OUTPUT_DIR=${join(copy, "build", name)}`, `-DCMAKE_C_FLAGS=-O1 -w${flags}`],
        { cwd: copy });
        if (status !== 0) {
            throw new Error(`cmake: ${status}`);
        }
    }
    return copy;
}

const environment = { ...process.env,
    ASAN_OPTIONS: "detect_leaks=1:detect_stack_use_after_return=1:hard_rss_limit_mb=2048" };

// "caught", "survived" or "does not build".
async function verdict(copy, name, tests) {
    const folder = join(copy, "build", name);
    if (await run("cmake", ["--build", folder, "--target", ...tests], { cwd: copy }) !== 0) {
        return "does not build";
    }
    for (const test of tests) {
        const status = await run(join(folder, "tests", test), [],
            { cwd: folder, env: environment, timeout: TEST_TIMEOUT_MS, killSignal: "SIGKILL" });
        if (status !== 0) {
            return "caught";
        }
    }
    return "survived";
}

async function tryMutant(copy, mutant, tests) {
    const path = join(copy, mutant.file);
    const original = readFileSync(path, "utf8");
    const lines = original.split("\n");
    lines[mutant.index] = mutant.text;
    writeFileSync(path, lines.join("\n"));
    try {
        const without = await verdict(copy, "without", tests);
        // What tests catch by themselves they catch with the invariants too.
        return [without, without === "survived" ? await verdict(copy, "with", tests) : without];
    } finally {
        writeFileSync(path, original);
    }
}

async function measure(copy, name, n, seed) {
    const files = machines[name][0].filter((file) => exists(file));
    const tests = machines[name][1].filter((test) => exists(testSource(test)));
    const sum = { n: 0, without: 0, with: 0 };
    for (const build of ["without", "with"]) {
        if (await verdict(copy, build, tests) !== "survived") {
            throw new Error(`${name}: its tests fail ${build} invariants and without a mutant`);
        }
    }
    for (const mutant of choose(files, seed)) {
        if (sum.n === n) {
            break;
        }
        const [without, withThem] = await tryMutant(copy, mutant, tests);
        if (without === "does not build" || withThem === "does not build") {
            continue;
        }
        sum.n++;
        sum.without += without === "caught" ? 1 : 0;
        sum.with += withThem === "caught" ? 1 : 0;
        if (withThem === "survived") {
            appendFileSync(join(scratch, "survivors.txt"),
                `${name} ${mutant.file}:${mutant.index + 1}\n-${mutant.before}\n+${mutant.text}\n`);
        }
    }
    return sum;
}

function testSource(test) {
    const [layer, ...rest] = test.split("_");
    return `tests/${layer}/test_${rest.join("_")}.c`;
}

function exists(file) {
    try {
        readFileSync(join(repository, file));
        return true;
    } catch {
        return false;
    }
}

// ---- all of it --------------------------------------------------------------------------------

const { values, positionals } = parseArgs({ allowPositionals: true, options: {
    mutants: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: "2" },
} });
const names = positionals.length > 0 ? positionals : Object.keys(machines);
const unknown = names.filter((name) => !(name in machines));
if (unknown.length > 0) {
    console.error(`mutate: no machine named ${unknown.join(", ")}; there are ${Object.keys(machines).join(", ")}`);
    process.exit(2);
}

mkdirSync(scratch, { recursive: true });
rmSync(join(scratch, "survivors.txt"), { force: true });
const queue = [...names];
const results = {};
await Promise.all(Array.from({ length: Number(values.jobs) }, async (_, job) => {
    const copy = await makeCopy(job);
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        results[name] = await measure(copy, name, Number(values.mutants), Number(values.seed));
        console.error(`${name}: ${JSON.stringify(results[name])}`);
    }
}));

const percent = (part, all) => `${part} (${Math.round((100 * part) / all)} %)`;
const total = { n: 0, without: 0, with: 0 };
console.log("| machine | mutants | caught without invariants | caught with them |\n|---|--:|--:|--:|");
for (const name of names) {
    const { n, without, with: withThem } = results[name];
    console.log(`| ${name} | ${n} | ${percent(without, n)} | ${percent(withThem, n)} |`);
    total.n += n;
    total.without += without;
    total.with += withThem;
}
console.log(`| all | ${total.n} | ${percent(total.without, total.n)} | ${percent(total.with, total.n)} |`);
