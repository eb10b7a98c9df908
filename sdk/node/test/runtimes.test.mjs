// The suite in every other runtime: Node.js 18, 22 and 24, Bun and Deno.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { Program } from "../../../tests/e2e/lib/program.js";

const folder = dirname(fileURLToPath(import.meta.url));
const suite = readdirSync(folder).filter((name) => name.endsWith(".test.js"));
// The addon by itself: its tests look at what only Node.js has.
const portable = suite.filter((name) => !name.startsWith("native"));

// For each its program, how it runs files, and how many tests it says have passed.
const runtimes = {
    "node-18": ["bin/node", ["--test", ...suite], /^(?:#|ℹ) pass (\d+)$/m],
    "node-22": ["bin/node", ["--test", ...suite], /^(?:#|ℹ) pass (\d+)$/m],
    "node-24": ["bin/node", ["--test", ...suite], /^(?:#|ℹ) pass (\d+)$/m],
    "bun-1": ["bin/bun", ["test", ...portable.map((name) => `./${name}`)], /^ *(\d+) pass$/m],
    "deno-2": ["deno", ["test", "-A", "--no-check", ...portable], /(\d+) passed/],
};
const FEWEST = 80;

for (const [name, [file, args, pattern]] of Object.entries(runtimes)) {
    test(`the suite in ${name}`, { timeout: 240_000 }, async (t) => {
        const path = join(folder, "runtimes/node_modules", name, file);
        assert.ok(existsSync(path), `${path} is not there: scripts/setup test`);
        const env = { ...process.env, NO_COLOR: "1" };
        delete env.NODE_TEST_CONTEXT; // its tests are not ours
        const program = new Program(t, path, args, { cwd: folder, env });
        program.mayFail = true;
        const { code } = await program.exit(230_000);
        const output = program.output;
        assert.equal(code, 0, output);
        const passed = Number(output.match(pattern)?.[1]);
        assert.ok(passed >= FEWEST, `${passed} tests have passed:\n${output}`);
        t.diagnostic(`${name}: ${passed} passed`);
    });
}
