// All cases of h2spec, strict ones too, in clear text and over TLS. Where RFC 9113 and the suite, which
// is one of RFC 7540, are not of one mind: docs/conformance.md.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Gateway, repository, scratch } from "./lib/mesh.js";
import { Program } from "./lib/program.js";

const h2spec = join(repository, "build/tools/h2spec"); // by scripts/setup test

// The routes of the README's sample: some cases send a body, which is refused.
async function start(t, http = {}) {
    const folder = scratch(t);
    writeFileSync(join(folder, "index.html"), "hello, world\n".repeat(100));
    return Gateway.start(t, { http, routes: [{ path: "GET /", static: folder }] });
}

async function conforms(t, gateway, flags) {
    const args = ["-S", "-o", "20", "-h", "127.0.0.1", "-p", String(new URL(gateway.url("/")).port), ...flags];
    const suite = new Program(t, h2spec, args);
    suite.mayFail = true;
    const { code } = await suite.exit(240_000);
    assert.match(suite.output, /\b146 tests, 146 passed, 0 skipped, 0 failed\b/, suite.output);
    assert.equal(code, 0);
}

test("h2spec in clear text", async (t) => {
    await conforms(t, await start(t), []);
});

test("h2spec over TLS", async (t) => {
    await conforms(t, await start(t, { https: "local" }), ["-t", "-k"]);
});
