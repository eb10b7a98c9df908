"use strict";
// Behind our gateway, with clients of HTTP; beside services in C and nodes of 2020.
const assert = require("node:assert/strict");
const { existsSync, readFileSync } = require("node:fs");
const http = require("node:http");
const { join } = require("node:path");
const { test } = require("node:test");
const { behindGateway, deferred, e2e, flatend, inTime, isNode, pair, programs, start, until } = require("./lib/mesh.js");

const isDeno = Boolean(process.versions.deno);
const oldNode = ["node", join(__dirname, "../../../tests/e2e/peers/node.cjs")];

const route = (path, service = path.split("/")[1]) => ({ path, service });

test("requests of browsers: parameters, query, bodies, cookies, errors", async (t) => {
    const { gateway } = await behindGateway(t, {
        hello: (ctx) => ctx.send("Hello world!"),
        todos: (ctx) => [ctx.method, ctx.path, ctx.params.id, ctx.params.userId, ctx.query.page, ctx.cookies.user],
        echo: (ctx) => ctx.pipe(ctx),
        cookies: (ctx) => ctx.append("Set-Cookie", "a=1").append("Set-Cookie", "b=2").send("set"),
        throws: () => {
            throw new Error("This shouldn't happen!");
        },
        limited: (ctx) => ctx.read({ limit: 10 }),
        failed: (ctx) => ctx.fail(404, "no todo 7"),
        keys: (ctx) => ctx.header("header key", "header val").json(ctx.headers),
    }, {
        routes: [route("GET /hello", "hello"), { path: "GET /users/:userId/todos/:id", service: "todos" }, route("POST /echo", "echo"),
            route("GET /cookies", "cookies"), route("GET /throws", "throws"), route("POST /limited", "limited"),
            route("GET /failed", "failed"), route("GET /keys", "keys")],
        max: { body_size: 100_000_000 },
    });
    const get = (path, options) => inTime(fetch(gateway.url(path), options), path);

    assert.equal(await (await get("/hello")).text(), "Hello world!");
    const todos = await get("/users/me/todos/7?page=2", { headers: { cookie: "user=me" } });
    assert.equal(todos.headers.get("content-type"), "application/json");
    assert.deepEqual(await todos.json(), ["GET", "/users/me/todos/7?page=2", "7", "me", "2", "me"]);
    const body = Buffer.alloc(5_000_000, "0123456789");
    assert.ok(body.equals(Buffer.from(await (await get("/echo", { method: "POST", body })).arrayBuffer())));
    assert.deepEqual((await get("/cookies")).headers.getSetCookie?.() ?? ["a=1", "b=2"], ["a=1", "b=2"]);
    const thrown = await get("/throws");
    assert.deepEqual([thrown.status, await thrown.json()], [500, { error: "This shouldn't happen!" }]);
    assert.equal((await get("/limited", { method: "POST", body: "x".repeat(11) })).status, 413);
    const failed = await get("/failed");
    assert.deepEqual([failed.status, await failed.json()], [404, { error: "no todo 7" }]);
    assert.equal((await (await get("/keys")).json())[":path"], "/keys");
});

test("a client that goes away cancels the request", async (t) => {
    const asked = deferred();
    const canceled = deferred();
    const { gateway } = await behindGateway(t, {
        hang: (ctx) => {
            ctx.signal.addEventListener("abort", () => canceled.resolve(ctx.isCanceled));
            asked.resolve();
        },
    }, { routes: [route("GET /hang", "hang")] });
    const request = http.get(gateway.url("/hang"));
    request.on("error", () => {});
    await inTime(asked.promise, "the request");
    request.destroy();
    assert.equal(await inTime(canceled.promise, "the signal"), true);
});

test("a route's timeout is the request's deadline", async (t) => {
    const seen = deferred();
    const { gateway } = await behindGateway(t, {
        hang: (ctx) => {
            assert.ok(ctx.remaining <= 300);
            ctx.signal.addEventListener("abort", () => seen.resolve());
        },
    }, { routes: [{ ...route("GET /hang", "hang"), timeout: "300ms" }] });
    assert.equal((await inTime(fetch(gateway.url("/hang")))).status, 504);
    await inTime(seen.promise, "the signal");
});

test("a response that is cut off is cut off at the client", async (t) => {
    const { gateway } = await behindGateway(t, {
        half: async function* half() {
            yield Buffer.alloc(300_000);
            throw new Error("no more");
        },
    }, { routes: [route("GET /half", "half")] });
    const response = await fetch(gateway.url("/half"));
    await assert.rejects(inTime(response.arrayBuffer()));
});

test("a node finds its gateway again", async (t) => {
    const { gateway } = await behindGateway(t, { hello: () => "hello" }, { routes: [route("GET /hello", "hello")] });
    await gateway.program.kill();
    await gateway.start();
    gateway.program.mayFail = isDeno;
    await gateway.joined("hello");
    assert.equal(await (await fetch(gateway.url("/hello"))).text(), "hello");
});

test("services in C are called, and call", async (t) => {
    const { Peer, build, release } = await e2e();
    const { Program } = await programs();
    const node = await start(t, {
        secretKey: flatend.generateSecretKey(), bindAddrs: ["127.0.0.1:0"], services: { js: (ctx) => ctx.send("from js\n") },
    });
    const [addr] = node.listenAddrs;
    const program = new Program(t, join(release, "examples/hello_world"), [addr]);
    program.mayFail = isDeno;
    await until(() => node.providersFor(["hello_world"]).length === 1, "the service");
    const response = await node.call("hello_world", { body: "not read" });
    assert.deepEqual([response.status, response.headers["content-type"], await response.text()],
        [200, "text/plain; charset=utf-8", "Hello world!"]);
    if (existsSync(join(build, "tests/peer"))) { // a build with tests
        const peer = await Peer.start(t, ["-S", "c", addr]);
        peer.mayFail = isDeno;
        await until(() => node.providersFor(["c"]).length === 1, "the peer");
        assert.match(await peer.command("call js"), /from js|OK/);
    }
});

test("nodes of 2020 call and are called", async (t) => {
    const { OldPeer } = await e2e();
    const node = await start(t, {
        secretKey: flatend.generateSecretKey(), bindAddrs: ["127.0.0.1:0"],
        services: {
            js: async (ctx) => `js, ${(await ctx.body()).length}, ${ctx.headers["x-a"]}, ${ctx.id.isProven}`,
            throws: () => {
                throw new Error("This shouldn't happen!");
            },
            big: () => Buffer.alloc(1_000_000, "a"),
        },
    });
    const old = await OldPeer.start(t, { addrs: node.listenAddrs, services: ["echo", "teapot", "headers"] }, isNode ? undefined : oldNode);
    old.mayFail = isDeno;
    await until(() => node.providersFor(["echo"]).length === 1, "the old node");
    assert.equal(await (await node.call("echo", { body: "x".repeat(100_000) })).text(), "x".repeat(100_000));
    const stream = await node.push(["headers"], { "x-a": "b" }, []);
    assert.equal(JSON.parse(Buffer.concat(await stream.body.toArray()))["x-a"], "b");
    const teapot = await node.call("teapot");
    assert.deepEqual([teapot.status, teapot.headers["x-tea"]], [418, "green"]);
    const answer = await old.push(["js"], { "x-a": "1" }, { zeros: 65_536 });
    assert.equal(answer.text, "js, 65536, 1, false");
    assert.equal((await old.push(["big"])).length, 1_000_000);
    const failed = await old.push(["throws"]);
    assert.deepEqual(JSON.parse(failed.text), { error: "This shouldn't happen!" });
    assert.equal(failed.headers[":status"] ?? "500", "500");
});

test("requests pass from node to node to node", async (t) => {
    const first = await pair(t, { last: (ctx) => ctx.pipe(ctx) });
    const second = await start(t, {
        secretKey: flatend.generateSecretKey(), bindAddrs: ["127.0.0.1:0"], addrs: first.server.listenAddrs,
        services: { middle: async (ctx) => (await ctx.node.call("last", { body: ctx, parent: ctx })).body },
    });
    const client = await start(t, { addrs: second.listenAddrs });
    const body = readFileSync(__filename);
    const bytes = await inTime((await client.call("middle", { body: Buffer.concat(Array(40).fill(body)) })).bytes());
    assert.equal(bytes.length, 40 * body.length);
});
