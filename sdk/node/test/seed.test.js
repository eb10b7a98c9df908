"use strict";
// The NodeJS section of the first README, in a folder of its own.
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { e2e, inTime, isNode, script } = require("./lib/mesh.js");

const SECRET = "a secret of thirty-two characters";

// The program of the README, for another port.
const program = (addr) => `
const {Node, Context} = require("flatend");

const helloWorld = ctx => ctx.send("Hello world!");

async function main() {
    await Node.start({
        addrs: ["${addr}"],
        services: {
            'hello_world': helloWorld,
        },
    });
}

main().catch(err => console.error(err));
`;

async function gatewayFor(t, settings = {}) {
    const { Gateway } = await e2e();
    const gateway = await Gateway.start(t, { routes: [{ path: "GET /hello", service: "hello_world" }], ...settings });
    gateway.program.mayFail = !isNode;
    return gateway;
}

const hello = async (gateway) => (await inTime(fetch(gateway.url("/hello")))).text();
const DEBUG = { DEBUG: "*", DEBUG_COLORS: "1", DEBUG_HIDE_DATE: "" };
const bare = (line) => line.replace(/\u001b\[[\d;]*m/g, "");

test("the lines are those of the README, and the service is there again after its gateway was", async (t) => {
    const gateway = await gatewayFor(t);
    const service = await script(t, program(gateway.address), { env: DEBUG });
    await service.waitFor("Discovered 0 peer(s).");
    await gateway.joined("hello_world");
    const [connected, discovered] = service.lines.map(bare).filter((line) => /^ {2}flatend/.test(line));
    assert.equal(connected, `  flatend You are now connected to ${gateway.address}. Services: [] +0ms`);
    assert.match(discovered, /^ {2}flatend Discovered 0 peer\(s\)\. \+\d+ms$/);
    assert.equal(await hello(gateway), "Hello world!");

    await gateway.program.kill();
    const again = bare(await service.waitFor("Trying to reconnect to"));
    assert.match(again, /^ {2}flatend Trying to reconnect to 127\.0\.0\.1:\d+\. Sleeping for [\d.]+(ms|s)\. \+\d+m?s$/);
    await gateway.start();
    gateway.program.mayFail = !isNode;
    const back = bare(await service.waitFor("You are now connected to"));
    assert.match(back, /^ {2}flatend You are now connected to 127\.0\.0\.1:\d+\. Services: \[\] \+\d+m?s$/);
    await gateway.joined("hello_world");
    assert.equal(await hello(gateway), "Hello world!");
});

test("the same program runs in a mesh with a secret, which is in the environment", async (t) => {
    const gateway = await gatewayFor(t, {
        mesh: { require_secure: true, secret: "env:MESH_SECRET" }, env: { MESH_SECRET: SECRET },
    });
    const service = await script(t, program(gateway.address), { env: { FLATEND_MESH_SECRET: SECRET } });
    await gateway.joined("hello_world");
    assert.equal(await hello(gateway), "Hello world!");
    const other = await script(t, program(gateway.address), { env: { FLATEND_MESH_SECRET: "" } });
    await other.waitFor(/a mesh secret is required/);
    assert.match(other.output, /FlatendError/);
    assert.equal(service.status, undefined);
});

test("each line of the README's handler does what it says", async (t) => {
    const { pair } = require("./lib/mesh.js");
    const fs = require("node:fs");
    const { client } = await pair(t, {
        id: (ctx) => ctx.send(ctx.id.addr),
        pipe: (ctx) => {
            ctx.pipe(ctx);
        },
        header: (ctx) => {
            ctx.header("header key", "header val");
            ctx.json(ctx.headers);
        },
        stream: (ctx) => {
            fs.createReadStream(__filename).pipe(ctx);
        },
        throws: async () => {
            throw new Error("This shouldn't happen!");
        },
        write: async (ctx) => {
            ctx.write("hello world!");
            ctx.end();
        },
        read: async (ctx) => {
            const body = await ctx.read({ limit: 65536 });
            ctx.send(body.toString("utf8"));
        },
    });
    const ask = (service, body) => inTime(client.call(service, { body, headers: { a: "b" } }), service);
    assert.equal(await (await ask("id")).text(), "<anon>");
    assert.equal(await (await ask("pipe", "piped")).text(), "piped");
    const header = await ask("header");
    assert.equal(header.headers["header key"], "header val");
    assert.equal((await header.json()).a, "b");
    assert.equal(await (await ask("stream")).text(), fs.readFileSync(__filename, "utf8"));
    const thrown = await ask("throws");
    assert.deepEqual([thrown.status, await thrown.json()], [500, { error: "This shouldn't happen!" }]);
    assert.equal(await (await ask("write")).text(), "hello world!");
    assert.equal(await (await ask("read", "a message")).text(), "a message");
});
