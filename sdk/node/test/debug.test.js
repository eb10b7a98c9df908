"use strict";
// DEBUG, as the package "debug" has it.
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { humanize, isEnabled } = require("../lib/debug.js");
const { script } = require("./lib/mesh.js");

const PROGRAM = `
    const { Node, generateSecretKey } = require("flatend");
    (async () => {
        const a = await Node.start({ secretKey: generateSecretKey(), bindAddrs: ["127.0.0.1:0"] });
        console.log("at " + a.listenAddrs[0]);
        const b = await Node.start({ addrs: a.listenAddrs });
        await new Promise((resolve) => setTimeout(resolve, 50));
        await b.shutdown();
        await a.shutdown();
    })();`;

async function run(t, env) {
    const program = await script(t, PROGRAM, { env: { DEBUG: "", DEBUG_COLORS: "", DEBUG_HIDE_DATE: "", ...env } });
    assert.equal((await program.exit()).code, 0);
    return program.lines;
}

test("patterns: stars, lists, and exceptions", () => {
    for (const pattern of ["flatend", "*", "fla*", "*tend", "app,flatend", "app flatend", "f*d", "*,-app"]) {
        assert.equal(isEnabled(pattern), true, pattern);
    }
    for (const pattern of ["", "flat", "flatend:*", "*,-flatend", "-flatend", "*,-fla*", "flatend.", "flatende"]) {
        assert.equal(isEnabled(pattern), false, pattern);
    }
});

test("the time since the line before, in the largest unit", () => {
    assert.deepEqual([0, 999, 1000, 41_200, 60_000, 7_200_000, 172_800_000].map(humanize),
        ["0ms", "999ms", "1s", "41s", "1m", "2h", "2d"]);
});

test("nothing is printed without DEBUG", async (t) => {
    for (const DEBUG of ["", "other", "*,-flatend"]) {
        assert.deepEqual((await run(t, { DEBUG })).filter((line) => !line.startsWith("at ")), [], DEBUG);
    }
});

test("lines have a date where nobody looks, and colors and times where somebody does", async (t) => {
    const plain = await run(t, { DEBUG: "fla*" });
    const addr = plain.find((line) => line.startsWith("at ")).slice(3);
    const found = (text, lines) => lines.some((line) => line.includes(text));
    assert.ok(plain.some((line) => /^\d{4}-\d\d-\d\dT[\d:.]+Z flatend You are now connected to 127\.0\.0\.1:\d+\. Services: \[\]$/.test(line)));
    assert.ok(found(`You are now connected to ${addr}. Services: []`, plain));
    assert.ok(found("flatend Discovered 0 peer(s).", plain));
    assert.ok(!found("Re-probed", plain));
    const colored = await run(t, { DEBUG: "*", DEBUG_COLORS: "yes" });
    const bare = colored.map((line) => line.replace(/\u001b\[[\d;]*m/g, ""));
    assert.ok(bare.some((line) => /^ {2}flatend You are now connected to 127\.0\.0\.1:\d+\. Services: \[\] \+\d+ms$/.test(line)));
    assert.ok(bare.some((line) => /^ {2}flatend Discovered 0 peer\(s\)\. \+\d+ms$/.test(line)));
    assert.ok((await run(t, { DEBUG: "*", DEBUG_HIDE_DATE: "1" })).some((line) => line.startsWith("flatend You are now")));
});
