// HTTP on unix sockets, as curl speaks it.
import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build, example, Gateway } from "./lib/mesh.js";
import { run } from "./lib/program.js";

const routes = [
    { path: "GET /hello", service: "hello_world" },
    { path: "GET /file", static: "file" },
];

async function curl(t, gateway, ...args) {
    const path = join(gateway.folder, "http.sock");
    const { code, output } = await run(t, "curl", ["-sS", "--unix-socket", path, ...args]);
    assert.equal(code, 0, output);
    return output;
}

function prepare(t, settings = {}) {
    const http = { addrs: ["unix:http.sock"] };
    const gateway = new Gateway(t, { ...settings, routes, http });
    writeFileSync(join(gateway.folder, "file"), "text");
    return gateway;
}

// The gateway of `prepare` on free ports.
async function start(t, settings) {
    const started = await Gateway.start(t, { routes: [], ...settings });
    await started.program.stop();
    const gateway = prepare(t, settings);
    Object.assign(gateway, { nodePort: started.nodePort, httpPort: started.httpPort });
    await gateway.start();
    await gateway.program.waitFor(/Listening for HTTP requests on 'unix:http\.sock'/);
    return gateway;
}

for (const workers of [1, 2]) {
    test(`services and files over a unix socket, workers = ${workers}`, async (t) => {
        const gateway = await start(t, { workers });
        await example(t, "hello_world", gateway);
        const path = join(gateway.folder, "http.sock");
        assert.equal(statSync(path).mode & 0o117, 0); // not for others, nor to be executed
        for (let i = 0; i < 4; i++) {
            assert.equal(await curl(t, gateway, "http://localhost/hello"), "Hello world!");
            assert.equal(await curl(t, gateway, "http://localhost/file"), "text");
            assert.equal(
                await curl(t, gateway, "--http2-prior-knowledge", "http://localhost/hello"),
                "Hello world!");
        }
        await gateway.program.stop();
        assert.ok(!existsSync(path));
    });
}

test("a gateway that was killed finds its socket and replaces it; one that runs keeps it", async (t) => {
    const gateway = await start(t, {});
    const { code, output } = await run(t, join(build, "flatend"),
        ["check", "--config", join(gateway.folder, "config.toml")], { cwd: gateway.folder });
    assert.equal(code, 0, output);
    assert.match(output, /unix:http\.sock/);
    await gateway.program.kill();
    assert.ok(existsSync(join(gateway.folder, "http.sock")));
    await gateway.start();
    assert.equal(await curl(t, gateway, "http://localhost/file"), "text");
});
