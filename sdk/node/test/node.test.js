"use strict";
// Starting, joining, trusting, living and ending.
const assert = require("node:assert/strict");
const { readFileSync, statSync, writeFileSync } = require("node:fs");
const { createServer } = require("node:net");
const { join } = require("node:path");
const { test } = require("node:test");
const { deferred, flatend, inTime, pair, scratch, script, start, until } = require("./lib/mesh.js");

const { Node, generateSecretKey, publicKey } = flatend;
const SECRET = "a secret of thirty-two characters";
const hello = { hello: () => "hello" };

async function ask(node, service = "hello") {
    return (await inTime(node.call(service, { timeout: 5000 }))).text();
}

test("wrong types of options are refused, and the option is named", async () => {
    const key = generateSecretKey();
    const wrong = {
        publicAddr: 1, bindAddrs: "127.0.0.1:1", addrs: "127.0.0.1:9000", secretKey: key.subarray(1), secretKeyFile: 1, services: [],
        numReconnectAttempts: "8", reconnectBackoffDuration: -1, reconnectBackoffFactor: 0, reconnectBackoffMinDuration: 0.5,
        reconnectBackoffMaxDuration: "1", meshSecret: 1, meshSecretFile: {}, requireSecure: 1, allowedKeys: ["00"],
        serviceRules: { a: "b" }, deadAfter: NaN, shutdownTimeout: -1, startTimeout: "x", startNeedsPeer: "yes", logger: "x",
        logLevel: "loud",
    };
    for (const [name, value] of Object.entries(wrong)) {
        await assert.rejects(Node.start({ [name]: value }),
            (error) => error instanceof TypeError && error.message.startsWith(`Node.start: ${name}`), name);
    }
    const message = (options) => Node.start(options).catch((error) => error.message);
    assert.equal(await message({ bindAddrs: ["127.0.0.1:1", 2] }), "Node.start: bindAddrs[1] must be a string");
    assert.equal(await message({ services: { a: 1 } }), 'Node.start: services["a"] must be a function or an object with a handler');
    assert.match(await message({ allowedKeys: [key] }), /^Node\.start: allowedKeys\[0\] must be a public key/);
    assert.match(await message({ services: { a: { handler() {}, limit: "1" } } }), /services\["a"\]\.limit/);
    assert.match(await message({ secretKey: key, secretKeyFile: "x" }), /secretKey and secretKeyFile exclude each other/);
    assert.match(await message(null), /options must be an object/);
});

test("what the library refuses is a FlatendError that says what", async () => {
    await assert.rejects(Node.start({ addrs: ["nonsense"] }), { name: "FlatendError", code: "EADDR" });
    await assert.rejects(Node.start({ meshSecret: "short" }), { name: "FlatendError", code: "EINVAL" });
    await assert.rejects(Node.start({ services: { ["x".repeat(256)]: () => {} } }), { name: "FlatendError", code: "EINVAL" });
});

test("an address in use is EADDRINUSE", async (t) => {
    const server = createServer().listen(0, "127.0.0.1");
    t.after(() => server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const bindAddrs = [`127.0.0.1:${server.address().port}`];
    await assert.rejects(Node.start({ secretKey: generateSecretKey(), bindAddrs }), { code: "EADDRINUSE" });
});

test("a node without options, and one without addresses, start", async (t) => {
    const node = await start(t);
    assert.deepEqual([node.id, node.listenAddrs], [undefined, []]);
    const known = await start(t, { secretKey: generateSecretKey() });
    assert.match(known.listenAddrs[0], /:\d+$/);
    assert.deepEqual(known.keys.publicKey, publicKey(known.keys.secretKey));
});

test("addresses without a host are this machine's", async (t) => {
    const { port } = await flatend.getAvailableAddress();
    const server = await start(t, { secretKey: generateSecretKey(), bindAddrs: [`:${port}`], services: hello });
    const client = await start(t, { addrs: [`:${port}`] });
    assert.equal(await ask(client), "hello");
    assert.equal(server.id.port, port);
});

test("publicAddr is what peers are told", async (t) => {
    const { port } = await flatend.getAvailableAddress();
    const node = await start(t, { secretKey: generateSecretKey(), publicAddr: `127.0.0.1:${port}`, services: hello });
    assert.equal(node.id.addr, `127.0.0.1:${port}`);
    const client = await start(t, { addrs: [`127.0.0.1:${port}`] });
    assert.equal(client.providersFor(["hello"])[0].addr, `127.0.0.1:${port}`);
});

test("a start without an answer waits for startTimeout, and fails only with startNeedsPeer", async (t) => {
    const { port } = await flatend.getAvailableAddress();
    const addrs = [`127.0.0.1:${port}`];
    const node = await start(t, { addrs, startTimeout: 50 });
    assert.deepEqual(node.providersFor(["x"]), []);
    await assert.rejects(Node.start({ addrs, startTimeout: 50, startNeedsPeer: true }), { code: "ETIMEDOUT" });
});

test("numReconnectAttempts 0 is never", async () => {
    const { port } = await flatend.getAvailableAddress();
    await assert.rejects(Node.start({ addrs: [`127.0.0.1:${port}`], numReconnectAttempts: 0 }), { code: "EREFUSED" });
});

test("peer and lost tell of nodes that come and go, drained of the end", async (t) => {
    const up = deferred();
    const down = deferred();
    const drained = deferred();
    const server = await start(t, { secretKey: generateSecretKey(), bindAddrs: ["127.0.0.1:0"], services: hello });
    server.on("peer", up.resolve);
    server.on("lost", down.resolve);
    const client = await Node.start({ addrs: server.listenAddrs, secretKey: generateSecretKey(), bindAddrs: ["127.0.0.1:0"] });
    client.on("drained", drained.resolve);
    const provider = await inTime(up.promise, "peer");
    assert.ok(provider instanceof flatend.Provider);
    assert.equal(provider.addr, client.listenAddrs[0]);
    assert.equal(server.table.has(client.keys.publicKey), true);
    await client.shutdown();
    assert.equal(await inTime(down.promise, "lost"), provider);
    await inTime(drained.promise, "drained");
    assert.equal(server.table.length, 0);
});

test("services are added and removed while the node runs", async (t) => {
    const { server, client } = await pair(t, hello);
    server.addService("later", () => "later");
    await until(() => client.providersFor(["later"]).length === 1, "the service");
    assert.equal(await ask(client, "later"), "later");
    assert.throws(() => server.addService("later", () => {}), { code: "EEXIST" });
    assert.equal(await ask(client, "later"), "later");
    server.removeService("later");
    await until(() => client.providersFor(["later"]).length === 0, "the end of the service");
    assert.throws(() => server.removeService("later"), { code: "ENOENT" });
    assert.deepEqual(Object.keys(server.handlers), ["hello"]);
    server.addService("later", () => "again");
    await until(() => client.providersFor(["later"]).length === 1, "the service");
    assert.equal(await ask(client, "later"), "again");
    server.removeService("later");
    await until(() => client.providersFor(["later"]).length === 0, "the end of the service");
    assert.throws(() => server.addService("x", 1), TypeError);
    await assert.rejects(client.call("later"), { code: "ENOPROVIDER" });
});

test("a streaming service starts with the head, an inline one with the whole body", async (t) => {
    const release = deferred();
    const { client } = await pair(t, {
        streaming: {
            streaming: true,
            handler: async (ctx) => {
                release.resolve();
                return (await ctx.body()).toString();
            },
        },
        inline: { inline: true, handler: (ctx) => String(ctx._first?.length ?? 0) },
        small: { inline: true, limit: 10, handler: () => "not called" },
    });
    const body = (async function* wait() {
        yield "a";
        await release.promise;
        yield "b";
    })();
    assert.equal(await (await inTime(client.call("streaming", { body }))).text(), "ab");
    assert.equal(await (await inTime(client.call("inline", { body: Buffer.alloc(40_000) }))).text(), "40000");
    assert.equal((await inTime(client.call("inline", { body: Buffer.alloc(65_537) }))).status, 413);
    assert.equal((await inTime(client.call("small", { body: Buffer.alloc(20_000) }))).status, 413);
});

test("a mesh secret is an option, a file, or in the environment", async (t) => {
    const file = join(scratch(t), "secret");
    writeFileSync(file, `${SECRET}\n`, { mode: 0o600 });
    const server = await start(t, {
        secretKey: generateSecretKey(), bindAddrs: ["127.0.0.1:0"], services: hello, meshSecret: SECRET, requireSecure: true,
    });
    const addrs = server.listenAddrs;
    const env = async (name, value) => {
        process.env[name] = value;
        try {
            return await start(t, { addrs });
        } finally {
            delete process.env[name];
        }
    };
    assert.equal(await ask(await start(t, { addrs, meshSecret: Buffer.from(SECRET) })), "hello");
    assert.equal(await ask(await start(t, { addrs, meshSecretFile: file })), "hello");
    assert.equal(await ask(await env("FLATEND_MESH_SECRET", SECRET)), "hello");
    assert.equal(await ask(await env("FLATEND_MESH_SECRET_FILE", file)), "hello");
    await assert.rejects(Node.start({ addrs }), (error) => error.code === "EDENIED" && /a mesh secret is required/.test(error.message));
    await assert.rejects(Node.start({ addrs, meshSecret: `${SECRET}!` }), { code: "EDENIED" });
    await assert.rejects(Node.start({ addrs, meshSecretFile: `${file}.not` }), { name: "FlatendError", code: "ENOENT" });
});

test("allowedKeys, serviceRules and pins say which keys are trusted", async (t) => {
    const key = generateSecretKey();
    const hex = publicKey(key).toString("hex");
    const server = await start(t, { secretKey: key, bindAddrs: ["127.0.0.1:0"], services: hello, allowedKeys: [hex] });
    await assert.rejects(Node.start({ addrs: server.listenAddrs }), { code: "EDENIED" });
    const open = await start(t, { secretKey: key, bindAddrs: ["127.0.0.1:0"], services: hello });
    const [addr] = open.listenAddrs;
    assert.equal(await ask(await start(t, { addrs: [`${hex}@${addr}`] })), "hello");
    await assert.rejects(Node.start({ addrs: [`${"00".repeat(32)}@${addr}`] }), { code: "EDENIED" });
    const serviceRules = { hello: [publicKey(generateSecretKey())] };
    await assert.rejects(Node.start({ addrs: [addr], serviceRules }), { code: "EDENIED" });
    assert.equal(await ask(await start(t, { addrs: [addr], serviceRules: { hello: [hex] } })), "hello");
});

test("keys are made, kept in files and read again", async (t) => {
    const folder = scratch(t);
    const path = join(folder, "node.key");
    const key = flatend.loadOrCreateSecretKey(path);
    assert.deepEqual([key.length, statSync(path).mode & 0o777], [64, 0o600]);
    assert.deepEqual(flatend.loadOrCreateSecretKey(path), key);
    assert.deepEqual(flatend.loadSecretKey(path), key);
    assert.throws(() => flatend.saveSecretKey(key, path), { code: "EEXIST" });
    assert.throws(() => flatend.loadSecretKey(join(folder, "none")), { name: "FlatendError", code: "ENOENT" });
    const node = await start(t, { secretKeyFile: join(folder, "other.key"), bindAddrs: ["127.0.0.1:0"] });
    assert.deepEqual(node.keys.secretKey, flatend.loadSecretKey(join(folder, "other.key")));
    assert.equal(readFileSync(path, "utf8").trim().length, 128);
});

test("a logger gets the lines, up to a level", async (t) => {
    const lines = [];
    const server = await start(t, {
        secretKey: generateSecretKey(), bindAddrs: ["127.0.0.1:0"], services: hello,
        logger: { info: (line) => lines.push(["info", line]) },
    });
    const more = [];
    await start(t, { addrs: server.listenAddrs, logger: (level, line) => more.push([level, line]), logLevel: "debug" });
    await until(() => more.some(([level, line]) => level === "info" && /^You are now connected to .* Services: \[hello\]/.test(line)), "a line");
    await until(() => more.some(([, line]) => line === "Discovered 0 peer(s)."), "a line");
    await until(() => lines.some(([, line]) => line.includes("has connected to you. Services: []")), "a line");
});

test("shutdown waits for what runs, refuses what comes, and may be called again", async (t) => {
    const asked = deferred();
    const { server, client } = await pair(t, {
        slow: async (ctx) => {
            asked.resolve();
            await new Promise((resolve) => setTimeout(resolve, 100));
            return `done, ${ctx.remaining}`;
        },
    }, { server: { shutdownTimeout: 10_000 } });
    const call = client.call("slow");
    await asked.promise;
    const ended = server.shutdown();
    assert.equal(server.shutdown(), ended);
    assert.equal(await (await call).text(), "done, Infinity");
    await inTime(ended, "shutdown");
    await assert.rejects(server.call("slow"), { code: "ECANCELED", message: "Node is shut down." });
    await assert.rejects(server.push(["slow"], {}, []), { message: "Node is shut down." });
    assert.throws(() => server.addService("a", () => {}), { code: "ECANCELED" });
    assert.deepEqual(server.providersFor(["slow"]), []);
    assert.deepEqual(server.listenAddrs, []);
    server.unref();
    server.ref();
});

test("shutdown with requests and calls open ends them", async (t) => {
    const asked = deferred();
    const reasons = [];
    const { server, client } = await pair(t, {
        hang: (ctx) => {
            ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason.code));
            asked.resolve(ctx);
        },
    }, { server: { shutdownTimeout: 0 }, client: { shutdownTimeout: 0 } });
    const call = client.call("hang");
    const outcome = assert.rejects(call, (error) => error instanceof flatend.FlatendError);
    const ctx = await asked.promise;
    await inTime(server.shutdown(), "shutdown");
    await inTime(outcome);
    assert.deepEqual(reasons.length, 1);
    ctx.send("too late");
    const waiting = await pair(t, { hang: () => {} }, { client: { shutdownTimeout: 0 }, server: { shutdownTimeout: 0 } });
    const other = assert.rejects(waiting.client.call("hang"), { code: "ECANCELED" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await inTime(waiting.client.shutdown(), "shutdown");
    await inTime(other);
});

test("several nodes live in one process", async (t) => {
    const nodes = [];
    for (let i = 0; i < 8; i++) {
        nodes.push(await start(t, {
            secretKey: generateSecretKey(), bindAddrs: ["127.0.0.1:0"], addrs: nodes[0]?.listenAddrs,
            services: { [`s${i}`]: () => `from ${i}` },
        }));
    }
    for (let i = 0; i < 8; i++) {
        await until(() => nodes[7 - i].providersFor([`s${i}`]).length === 1, "a provider");
        assert.equal(await ask(nodes[7 - i], `s${i}`), `from ${i}`);
    }
});

test("a node keeps the process alive until it is shut down, unless it is unref'd", async (t) => {
    const held = await script(t, `
        const { Node } = require("flatend");
        Node.start({}).then((node) => {
            console.log("started");
            process.once("SIGTERM", () => node.shutdown().then(() => console.log("ended")));
        });`);
    await held.waitFor("started");
    await assert.rejects(held.exit(300), /does not end/);
    held.signal("SIGTERM");
    await held.exit();
    assert.equal(held.lines.at(-1), "ended");
    const free = await script(t, 'require("flatend").Node.start({}).then((node) => { node.unref(); console.log("started"); });');
    assert.equal((await free.exit()).code, 0);
});

test("ES modules have the same names", async () => {
    const module = await import("../lib/index.mjs");
    assert.deepEqual(Object.keys(module).filter((name) => name !== "default").sort(), Object.keys(flatend).sort());
    assert.equal(module.default, flatend);
    assert.equal(module.Node, Node);
});

test("the types have the same names", () => {
    const types = readFileSync(join(__dirname, "../lib/index.d.ts"), "utf8");
    const declared = [...types.matchAll(/^export (?:const|class|function) (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(declared.sort(), Object.keys(flatend).sort());
});

test("the codes of errors are those of the C API", () => {
    const { codes } = require("../lib/errors.js");
    const header = readFileSync(join(__dirname, "../../../include/flatend.h"), "utf8");
    const defined = [...header.matchAll(/^    X\((\w+), (-\d+), /gm)].map(([, name, number]) => [name, Number(number)]);
    assert.deepEqual(codes, Object.fromEntries(defined));
    for (const [name, number] of defined) {
        assert.equal(new flatend.FlatendError(number).code, name);
    }
});
