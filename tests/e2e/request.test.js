// docs/request.md, held against what happens: each function that it numbers is a breakpoint.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

// In a build without optimization gdb finds all functions: none is inlined.
process.env.FLATEND_BUILD_DIR ??= fileURLToPath(new URL("../../build/sanitize", import.meta.url));
const { example, Gateway, repository } = await import("./lib/mesh.js");
const { run } = await import("./lib/program.js");

const page = readFileSync(join(repository, "docs/request.md"), "utf8");

// { name, file } for each function that `text` names by `pattern`.
function functions(text, pattern) {
    return [...text.matchAll(pattern)].map(([, name, file]) => ({ name, file, key: `${name} ${file}` }));
}

const numbered = /^\d+\. `(\w+)` \(`([\w./]+)`\): ./gm;
const named = /`(\w+)`\s\(`([\w./]+)`\)/g;

// The calls of each program in their order; the gateway's are in two parts of the page.
const [gatewayCalls, serviceCalls] = (() => {
    const parts = page.split(/^## /m)
        .map((part) => functions(part, numbered))
        .filter((part) => part.length > 0);
    assert.equal(parts.length, 3, "there, at the service's node, and back");
    return [[...parts[0], ...parts[2]], parts[1]];
})();

// A program under gdb that says which function it reaches, and ends as it would without gdb.
function watched(calls) {
    const breakpoints = new Set(
        calls.map(({ name, file, key }) => `dprintf ${file}:${name},"@${key}\\n"`),
    );
    const commands = [
        "set breakpoint pending off",
        "set disable-randomization off", // containers may forbid it
        "set startup-with-shell off",
        "handle SIGTERM SIGPIPE nostop noprint pass",
        "tbreak main", "run", "info proc", ...breakpoints, "continue",
    ];
    return {
        prefix: ["gdb", "-nx", "-q", "-batch", "-return-child-result",
            ...commands.flatMap((command) => ["-ex", command]), "--args"],
        // LeakSanitizer cannot work beside a debugger.
        env: { ...process.env, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ""}:detect_leaks=0` },
    };
}

function hits(lines) {
    return lines.filter((line) => line.startsWith("@")).map((line) => line.slice(1));
}

// What is wrong with `calls`, or null: each function has to be reached after the one before, and one
// that is named for the first time must not have been reached earlier.
function fault(calls, reached) {
    const begin = reached.indexOf(calls[0].key);
    let at = begin;
    for (const [i, { key }] of calls.entries()) {
        const next = reached.indexOf(key, at);
        if (begin < 0 || next < 0) {
            return `${key} is not reached after ${calls[i - 1]?.key ?? "the beginning"}`;
        }
        const isFirst = calls.findIndex((other) => other.key === key) === i;
        if (isFirst && reached.indexOf(key, begin) < at) {
            return `${key} is reached before ${calls[i - 1].key}`;
        }
        at = next + 1;
    }
    return null;
}

// One request, up to the last call of both programs: what each program has reached since it was sent.
async function watch(t, gateway, service) {
    const programs = [gateway.program, service];
    const starts = programs.map(({ lines }) => lines.length);
    programs.forEach((program, i) => (program.seen = starts[i]));
    const { code, output } = await run(t, "curl", ["-sS", gateway.url("/hello")]);
    assert.deepEqual({ code, output }, { code: 0, output: "Hello world!" });
    await gateway.program.waitFor(`@${gatewayCalls.at(-1).key}`);
    await service.waitFor(`@${serviceCalls.at(-1).key}`);
    return programs.map(({ lines }, i) => hits(lines.slice(starts[i])));
}

// To the program itself: gdb ends with its status.
async function end(program) {
    const line = program.lines.find((candidate) => /^process \d+/.test(candidate));
    process.kill(Number(line.split(" ")[1]), "SIGTERM");
    assert.deepEqual(await program.exit(), { code: 0, signal: null }, program.output);
}

test("every function that the page names is in that file", () => {
    const all = functions(page, named);
    assert.ok(all.length > gatewayCalls.length + serviceCalls.length);
    for (const { name, file } of all) {
        const definition = new RegExp(`^[a-zA-Z][^;{}()]*\\b${name}\\([^;{}]*\\)\\n\\{`, "m");
        assert.match(readFileSync(join(repository, file), "utf8"), definition, `${name} in ${file}`);
    }
});

test("the numbers count", () => {
    const numbers = [...page.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));
    assert.deepEqual(numbers, numbers.map((_, i) => i + 1));
    const n = gatewayCalls.length + serviceCalls.length;
    assert.equal(numbers.length, n, "each has a function and a file");
});

test("one request goes the way that the page describes", async (t) => {
    const gateway = await Gateway.start(t, {
        ...watched(gatewayCalls),
        workers: 1,
        routes: [{ path: "GET /hello", service: "hello_world" }],
    });
    const service = await example(t, "hello_world", gateway, watched(serviceCalls));

    // Before the second request there is nothing left of what the two nodes tell each other at first.
    await watch(t, gateway, service);
    const [atGateway, atService] = await watch(t, gateway, service);
    assert.equal(fault(gatewayCalls, atGateway), null, atGateway.join("\n"));
    assert.equal(fault(serviceCalls, atService), null, atService.join("\n"));

    await end(service);
    await end(gateway.program);
});
