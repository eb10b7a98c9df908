// Nodes end and start again, in any order: the mesh connects again.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { build, example, Gateway, OldPeer } from "./lib/mesh.js";
import { request } from "./lib/http.js";
import { Program } from "./lib/program.js";

const routes = [{ path: "GET /hello", service: "hello_world" }];

async function start(t) {
    const gateway = await Gateway.start(t, { routes });
    const service = await example(t, "hello_world", gateway);
    assert.equal((await request(gateway.url("/hello"))).body, "Hello world!");
    return { gateway, service };
}

async function serves(gateway) {
    const response = await request(gateway.url("/hello"));
    assert.equal(response.status, 200);
    assert.equal(response.body, "Hello world!");
}

for (const end of ["kill", "stop"]) {
    test(`the gateway after ${end}: the service reconnects`, async (t) => {
        const { gateway, service } = await start(t);
        await gateway.program[end]();
        await service.waitFor(`${gateway.address} has disconnected from you. Services: []`);
        await service.waitFor(`Trying to reconnect to ${gateway.address}. Sleeping for `);
        await gateway.start();
        await service.waitFor(`You are now connected to ${gateway.address}. Services: []`);
        await gateway.joined("hello_world");
        await serves(gateway);
    });

    test(`the service after ${end}: 503 until it is back`, async (t) => {
        const { gateway, service } = await start(t);
        await service[end]();
        await gateway.program.waitFor(/127\.0\.0\.1:\d+ has disconnected from you\. Services: \[hello_world\]/);
        assert.equal((await request(gateway.url("/hello"))).status, 503);
        await example(t, "hello_world", gateway);
        await serves(gateway);
    });
}

test("both at once, the service returning first", async (t) => {
    const { gateway, service } = await start(t);
    await gateway.program.kill();
    await service.kill();
    const again = new Program(t, join(build, "examples/hello_world"), [gateway.address]);
    await again.waitFor(`Trying to reconnect to ${gateway.address}.`);
    await gateway.start();
    await again.waitFor(`You are now connected to ${gateway.address}.`);
    await gateway.joined("hello_world");
    await serves(gateway);
});

test("after eight attempts the log says less, and why; attempts go on", async (t) => {
    const { gateway, service } = await start(t);
    await gateway.program.kill();
    for (let i = 0; i < 7; i++) { // the first came at once, and had no line
        const line = await service.waitFor("Trying to reconnect to");
        const delay = Number(line.match(/Sleeping for ([\d.]+)ms\.$/)?.[1] ?? 1000);
        assert.ok(delay <= 1000, line);
    }
    await service.waitFor(
        `Tried 8 times reconnecting to ${gateway.address}: connect ${gateway.address}: connection refused. Trying on.`,
    );
    await gateway.start();
    await gateway.joined("hello_world");
    await serves(gateway);
});

test("a service that starts before its gateway", async (t) => {
    const gateway = await Gateway.start(t, { routes });
    await gateway.program.stop();
    const service = new Program(t, join(build, "examples/hello_world"), [gateway.address]);
    await service.waitFor("Started without a peer");
    await gateway.start();
    await gateway.joined("hello_world");
    await serves(gateway);
});

test("a gateway finds its peer when that comes", async (t) => {
    const later = await Gateway.start(t, { routes });
    await later.program.stop();
    const gateway = await Gateway.start(t, { routes, mesh: { peers: [later.address] } });
    await gateway.program.waitFor("Tried 8 times reconnecting to");
    await later.start();
    await gateway.program.waitFor(`You are now connected to ${later.address}.`);
});

test("start_needs_peer: without one the gateway ends, and says why", async (t) => {
    const later = await Gateway.start(t, { routes });
    await later.program.stop();
    const mesh = { peers: [later.address], start_needs_peer: true, start_timeout: "300ms" };
    const gateway = await Gateway.start(t, { routes, mesh });
    gateway.program.mayFail = true;
    assert.equal((await gateway.program.exit()).code, 1);
    assert.ok(gateway.program.lines.at(-1).endsWith(
        `join the mesh: no peer has answered in 300 ms: connect ${later.address}: connection refused`,
    ), gateway.program.output);
});

// Each of them may take a moment, but they do not come in one.
test("200 services, the gateway away for 30 s: all are back 2 s after it is", { timeout: 180_000 }, async (t) => {
    const N = 200;
    const gateway = await Gateway.start(t, { routes: [{ path: "GET /many", service: "many" }], release: true });
    const services = new Program(t, join(build, "tests/many"), [`${N}`, gateway.address]);
    await services.waitFor("ready");
    await gateway.program.kill();
    await new Promise((resolve) => setTimeout(resolve, 30_000)); // how long it is away
    const before = services.processorTime();
    await gateway.start();
    const back = Date.now();
    for (let i = 0; i < N; i++) {
        await gateway.joined("many");
    }
    const took = Date.now() - back;
    t.diagnostic(`all back after ${took} ms, with ${services.processorTime() - before} ms of processor time`);
    assert.ok(took <= 2000, `${took} ms`);
    assert.equal((await request(gateway.url("/many"))).body, "many");
});

test("an npm service comes back to a gateway that was killed", async (t) => {
    const gateway = await Gateway.start(t, { routes: [{ path: "GET /hello", service: "hello" }] });
    await OldPeer.start(t, { addrs: [gateway.address], services: ["hello"] });
    await gateway.joined("hello");
    await gateway.program.kill();
    await gateway.start();
    await gateway.joined("hello");
    await serves(gateway);
});

test("two services, one killed under load: no request is answered wrongly", async (t) => {
    const { gateway, service } = await start(t);
    await example(t, "hello_world", gateway);
    const answers = [];
    const load = Promise.all(
        Array.from({ length: 8 }, async () => {
            for (let i = 0; i < 50; i++) {
                answers.push(await request(gateway.url("/hello")));
            }
        }),
    );
    await request(gateway.url("/hello"));
    await service.kill();
    await load;
    // GET may be retried with the other service, so that the client notices nothing.
    assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([200]));
    assert.deepEqual(new Set(answers.map((answer) => answer.body)), new Set(["Hello world!"]));
});
