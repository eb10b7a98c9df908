// flatend-node: an application of HTTP as a service.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { Gateway, scratch } from "../../../tests/e2e/lib/mesh.js";
import { Program, run } from "../../../tests/e2e/lib/program.js";

const command = fileURLToPath(new URL("../bin/flatend-node.js", import.meta.url));
const routes = [{ path: "GET /hello", service: "api" }];

const APPS = {
    "listener.js": 'module.exports = (req, res) => res.end("Hello from a listener");',
    "fetch.mjs": 'export default { fetch: () => new Response("Hello from fetch") };',
    "listens.js": 'const http = require("http");\n' +
        'http.createServer((req, res) => res.end("Hello from a server")).listen(80, () => console.log("up"));',
};

for (const [name, text] of Object.entries(APPS)) {
    test(`${name} is a service`, async (t) => {
        const folder = scratch(t);
        writeFileSync(join(folder, name), text);
        const gateway = await Gateway.start(t, { routes });
        const program = new Program(t, process.execPath, [command, name, "--service", "api", "--join", gateway.address],
            { cwd: folder });
        await program.waitFor(`Serving ${name} as 'api'.`);
        await gateway.joined("api");
        assert.match(await (await fetch(gateway.url("/hello"))).text(), /^Hello from a?/);
        await program.stop();
    });
}

test("what is wrong is said, and how to go on", async (t) => {
    const folder = scratch(t);
    writeFileSync(join(folder, "empty.js"), "");
    const cases = [
        [[], 2, /one file with an application is needed\nflatend-node --help says more\./],
        [["a.js"], 2, /--service NAME is needed/],
        [["a.js", "--sevice", "x"], 2, /Unknown option '--sevice'/],
        [["none.js", "--service", "x"], 1, /Cannot find module/],
        [["empty.js", "--service", "x"], 1, /empty\.js exports no application, and none of its servers listens/],
        [["--help"], 0, /Runs an application of HTTP as a service/],
        [["--version"], 0, /^\d+\.\d+\.\d+/],
    ];
    for (const [args, code, pattern] of cases) {
        const result = await run(t, process.execPath, [command, ...args], { cwd: folder });
        assert.equal(result.code, code, result.output);
        assert.match(result.output, pattern);
    }
});
