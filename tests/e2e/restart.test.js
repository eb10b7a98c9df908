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
        await service.waitFor(`Trying to reconnect to ${gateway.address}. Sleeping for 500ms.`);
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

test("the delays between attempts grow, within what the options say", async (t) => {
    const { gateway, service } = await start(t);
    await gateway.program.kill();
    const delays = [];
    for (let i = 0; i < 8; i++) {
        const line = await service.waitFor("Trying to reconnect to");
        delays.push(Number(line.match(/Sleeping for ([\d.]+)ms\.$/)[1]));
    }
    assert.equal(delays[0], 500);
    for (const delay of delays) {
        assert.ok(delay >= 500 && delay <= 2000, `${delay} ms`);
    }
    await service.waitFor(`Tried 8 times reconnecting to ${gateway.address}. Giving up.`);
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
