"use strict";
// The addon by itself: what lib/ builds on, and what it does with mistakes of lib/'s.
const assert = require("node:assert/strict");
const { mkdtempSync, rmSync, writeFileSync, readFileSync, statSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { test } = require("node:test");

const {
    addon, NativeNode, mesh, REQUEST, RESPONSE, TRAILERS, END, CANCELED, DEADLINE, FAILED, PEER_UP, PEER_DOWN,
    DRAINED, CLOSED, LOG, ESTATE, WAIT_MS,
} = require("./native_node.js");

const ECANCELED = -5;
const ETIMEDOUT = -7;
const EADDR = -10;
const EINVAL = -2;
const ETOOBIG = -15;
const ENOPROVIDER = -16;
const ERESET = -18;
const ENOENT = -22;
const EEXIST = -23;

const STREAMING = 2;
const KEY = addon.generateSecretKey();

function folder(t) {
    const path = mkdtempSync(join(tmpdir(), "flatend-native-"));
    t.after(() => rmSync(path, { recursive: true }));
    return path;
}

function thrown(code) {
    return (error) => error instanceof Error && error.code === code && error.message.length > 0;
}

// Calls the service, and gives the response with all of its body.
async function call(client, service, headers = null, body = "", timeout = 10000, ...rest) {
    const id = client.push([service], headers, body, timeout, null, 0, ...rest);
    assert.ok(id > 0, `push: ${id}`);
    const response = await client.next(RESPONSE, id);
    response.body = await client.readAll(response);
    client.close(id);
    return response;
}

function pattern(length) {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i + 4 <= length; i += 4) {
        bytes.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
    }
    return bytes;
}

// ---- what needs no node ----

test("version and errors", () => {
    assert.match(addon.version(), /^\d+\.\d+\.\d+$/);
    assert.equal(addon.errorName(-16), "ENOPROVIDER");
    assert.equal(addon.errorText(-1), "out of memory");
    assert.throws(() => addon.errorName("x"), TypeError("errorName: code must be a number of 32 bits"));
});

test("keys are made, saved and loaded", (t) => {
    const path = join(folder(t), "key");
    const key = addon.generateSecretKey();
    assert.equal(key.length, 64);
    assert.deepEqual(addon.publicKey(key), key.subarray(32));
    assert.notDeepEqual(addon.generateSecretKey(), key);

    assert.throws(() => addon.loadSecretKey(path), thrown(ENOENT));
    assert.equal(addon.saveSecretKey(key, path), undefined);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(readFileSync(path, "latin1").trim(), key.toString("hex"));
    assert.throws(() => addon.saveSecretKey(key, path), thrown(EEXIST));
    assert.deepEqual(addon.loadSecretKey(path), key);
    assert.deepEqual(addon.loadOrCreateSecretKey(path), key);
    assert.equal(addon.loadOrCreateSecretKey(`${path}2`).length, 64);

    assert.throws(() => addon.publicKey(key.subarray(1)), TypeError("publicKey: key must be 64 bytes"));
    assert.throws(() => addon.publicKey("key"), TypeError("publicKey: key must be a Uint8Array"));
    assert.throws(() => addon.loadSecretKey(), TypeError("loadSecretKey: path must be a string"));
    assert.throws(() => addon.loadSecretKey("a\0b"), TypeError);
});

test("the secret of a mesh is read from its file", (t) => {
    const path = join(folder(t), "secret");
    writeFileSync(path, "0123456789abcdef\n", { mode: 0o600 });
    assert.equal(addon.loadMeshSecret(path).toString(), "0123456789abcdef");
    writeFileSync(path, "short\n");
    assert.throws(() => addon.loadMeshSecret(path), thrown(EINVAL));
    assert.throws(() => addon.loadMeshSecret(`${path}2`), thrown(ENOENT));
});

// ---- create ----

test("create names what is wrong", () => {
    const inbox = new Uint8Array(65536);
    const create = (options) => () => addon.create(options, inbox, () => {});
    const wrong = [
        [{ publicAddr: 1 }, "publicAddr must be a string"],
        [{ publicAddr: "a\0" }, "publicAddr must be a string without a NUL"],
        [{ bindAddrs: "x" }, "bindAddrs must be an array"],
        [{ bindAddrs: [":0", {}] }, "bindAddrs must be a string"],
        [{ secretKey: "x" }, "secretKey must be a Uint8Array"],
        [{ secretKey: new Uint8Array(32) }, "secretKey must be 64 bytes"],
        [{ secretKey: new Uint16Array(64) }, "secretKey must be a Uint8Array"],
        [{ services: [["a", -1, 0]] }, "services must be a number from 0 to 4294967295"],
        [{ services: [7] }, "services must be an array"],
        [{ services: [null] }, "services must be an array"],
        [{ services: {} }, "services must be an array"],
        [{ reconnectAttempts: "1" }, "reconnectAttempts must be a number of 32 bits"],
        [{ reconnectBackoffFactor: "1" }, "reconnectBackoffFactor must be a number"],
        [{ reconnectBackoffMinMs: NaN }, "reconnectBackoffMinMs must be a number from 0 to 4294967295"],
        [{ reconnectBackoffMaxMs: 2 ** 32 }, "reconnectBackoffMaxMs must be a number from 0 to 4294967295"],
        [{ meshSecret: "0123456789abcdef" }, "meshSecret must be a Uint8Array"],
        [{ requireSecure: 1 }, "requireSecure must be a boolean"],
        [{ allowedKeys: [new Uint8Array(31)] }, "allowedKeys must be keys of 32 bytes"],
        [{ serviceRules: [["a", [1]]] }, "serviceRules must be a Uint8Array"],
        [{ logLevel: 4 }, "logLevel must be a number from 0 to 3"],
        [{ startNeedsPeer: "yes" }, "startNeedsPeer must be a boolean"],
    ];
    for (const [options, message] of wrong) {
        assert.throws(create(options), TypeError(`create: ${message}`));
    }
    assert.throws(create({ get deadAfterMs() { throw new RangeError("mine"); } }), RangeError("mine"));
    assert.throws(create({ get services() { return { get length() { throw new RangeError("no array"); } }; } }), TypeError);
    assert.throws(() => addon.create({}, new Uint8Array(100), () => {}), TypeError);
    assert.throws(() => addon.create({}, inbox, null), TypeError("create: onBatch must be a function"));
    assert.throws(() => addon.create(), TypeError);
});

test("every option is taken", async (t) => {
    const key = addon.publicKey(KEY);
    const node = new NativeNode({
        publicAddr: "127.0.0.1:1", bindAddrs: ["127.0.0.1:0"], secretKey: KEY, services: [["a", 1, 0]],
        reconnectAttempts: 0, reconnectBackoffFactor: 1, reconnectBackoffMinMs: 10, reconnectBackoffMaxMs: 10,
        meshSecret: new Uint8Array(16), requireSecure: true, allowedKeys: [key], serviceRules: [["a", [key]]],
        deadAfterMs: 0, shutdownTimeoutMs: 1, logLevel: 3, startTimeoutMs: 0, startNeedsPeer: false,
        isUnknown: 1, handlerThreads: undefined,
    });
    t.after(() => node.shutdown());
    await node.start([]);
    assert.match((await node.next(LOG)).text, /^Listening for Flatend nodes on '127\.0\.0\.1:\d+'\.$/);
});

test("a node that was never started is shut down at once", async () => {
    const node = new NativeNode();
    assert.equal(node.shutdown(), node.shutdown());
    await node.shutdown();
    await assert.rejects(node.start([]), thrown(ESTATE));
});

// ---- start ----

test("start says why it has failed", async (t) => {
    const { addr } = await mesh(t, []);
    const fails = async (options, addrs, code, text) => {
        const node = new NativeNode(options);
        await assert.rejects(node.start(addrs), (error) => error.code === code && text.test(error.message));
        assert.ok(node.push(["a"], null, "", 0, null, 0) < 0);
        await node.shutdown();
    };
    await fails({ secretKey: KEY, bindAddrs: [addr] }, [], -11, /already in use/);
    await fails({}, ["no address"], EADDR, /no address/);
    await fails({ reconnectBackoffFactor: 0.5 }, [], EINVAL, /factor/);
    await fails({ startNeedsPeer: true, startTimeoutMs: 1, reconnectAttempts: 1000 }, ["127.0.0.1:1"],
        ETIMEDOUT, /127\.0\.0\.1:1/);
    await fails({ services: [["", 1, 0]] }, [], EINVAL, /service/);
    const node = new NativeNode();
    assert.throws(() => node.start([1]), TypeError("start: addrs must be a string"));
    await node.start([addr]);
    await assert.rejects(node.start([addr]), thrown(ESTATE));
    await node.shutdown();
});

test("shutdown ends a start that waits", async () => {
    const node = new NativeNode({ startTimeoutMs: 60000, reconnectAttempts: 100000 });
    const started = assert.rejects(node.start(["127.0.0.1:1"]), thrown(ECANCELED));
    const begin = Date.now();
    await node.shutdown();
    await started;
    assert.ok(Date.now() - begin < 5000);
});

// ---- requests ----

test("a request is one record, and its response one call", async (t) => {
    const { server, client } = await mesh(t, [["hello", 4000000000, 0]]);
    const answer = call(client, "hello", ["x-one", "1", "x-two", "zwei", "empty", ""], "body", 5000);
    const request = await server.next(REQUEST);
    assert.equal(request.service, 4000000000);
    assert.deepEqual(request.headers.filter(([name]) => name !== "timeout-ms"),
        [["x-one", "1"], ["x-two", "zwei"], ["empty", ""]]);
    assert.ok(request.isComplete && request.isAscii && request.isAnonymous && !request.isProven);
    assert.equal(request.body.toString(), "body");
    assert.ok(request.remaining > 0 && request.remaining <= 5000);
    assert.deepEqual([request.host, request.port], ["", 0]);
    assert.deepEqual(request.publicKey, Buffer.alloc(32));
    assert.ok(server.remaining(request.id) <= request.remaining);
    assert.equal(server.respond(request.id, 201, ["a", "1", "a", "2", "b", "ü"], "Hello wörld!"), 0);

    const response = await answer;
    assert.equal(response.status, 201);
    assert.deepEqual(response.headers, [["a", "1"], ["a", "2"], ["b", "ü"]]);
    assert.ok(response.isComplete && !response.isAscii);
    assert.equal(response.body.toString(), "Hello wörld!");
});

test("names of headers may be any text", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]]);
    const answer = call(client, "hello", ["a b", "1", "ключ", "значение"]);
    const request = await server.next(REQUEST);
    assert.deepEqual(request.headers.slice(0, 2), [["a b", "1"], ["ключ", "значение"]]);
    assert.ok(!request.isAscii);
    server.respond(request.id, 200, null, null);
    assert.equal((await answer).body.length, 0);
});

test("bodies of a response are strings and bytes, of any length", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]]);
    const long = "ä€𝄞x".repeat(300000);
    const bodies = [null, undefined, "", "x", "ä".repeat(2047), "a".repeat(4095), "€".repeat(1365), long,
        new Uint8Array(0), Buffer.from("abcdef").subarray(2, 4), pattern(3 << 20)];
    for (const body of bodies) {
        const answer = call(client, "hello");
        const { id } = await server.next(REQUEST);
        assert.equal(server.respond(id, 200, null, body), 0);
        assert.deepEqual((await answer).body, Buffer.from(body ?? ""));
    }
});

test("a response that cannot be sent leaves the request", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]]);
    const answer = call(client, "hello");
    const { id } = await server.next(REQUEST);
    assert.equal(server.respond(id, 200, ["a", "1", "bad\n", "2"], "x"), EINVAL);
    assert.equal(server.respond(id, 200, ["a"], "x"), 0); // its head was set: not again
    assert.equal(server.respond(id, 200, null, "x"), ESTATE);
    assert.equal((await answer).status, 200);

    const second = call(client, "hello");
    const other = (await server.next(REQUEST)).id;
    assert.equal(server.respond(other, 99, null, "x"), EINVAL);
    assert.equal(server.fail(other, 500, 'why "not"'), 0);
    const response = await second;
    assert.equal(response.status, 500);
    assert.deepEqual(JSON.parse(response.body), { error: 'why "not"' });
});

test("headers that are too long leave the request, too", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]]);
    const answer = call(client, "hello");
    const { id } = await server.next(REQUEST);
    assert.equal(server.respond(id, 200, ["a", "x".repeat(300000)], "x"), ETOOBIG);
    assert.equal(server.problem(id, 500, "too long"), 0);
    const response = await answer;
    assert.deepEqual(response.headers.find(([name]) => name === "content-type"),
        ["content-type", "application/problem+json"]);
    assert.equal(JSON.parse(response.body).detail, "too long");
});

test("bodies are streamed both ways at once, with back-pressure", async (t) => {
    const { server, client } = await mesh(t, [["echo", 1, STREAMING]]);
    const bytes = pattern(8 << 20);
    const id = client.push(["echo"], null, null, 20000, null, 0);
    const request = await server.next(REQUEST);
    assert.ok(!request.isComplete);
    assert.equal(server.head(request.id, 202, ["x", "y"]), 0);
    assert.equal(server.head(request.id, 200, null), ESTATE);

    async function upload() {
        await client.writeAll(id, bytes);
        assert.equal(client.addTrailer(id, "sum", "1"), 0);
        assert.equal(client.endBody(id), 0);
        assert.equal(client.write(id, bytes, 0, 1), ESTATE);
    }
    async function serve() {
        const body = await server.readAll(request);
        assert.ok(body.equals(bytes));
        assert.deepEqual(server.trailers(request.id), ["sum", "1"]);
        await server.writeAll(request.id, body, 1 << 20);
        assert.equal(server.addTrailer(request.id, "länge", String(body.length)), 0);
        assert.equal(server.finish(request.id), 0);
        assert.equal(server.finish(request.id), ESTATE);
    }
    async function download() {
        const response = await client.next(RESPONSE, id);
        assert.equal(response.status, 202);
        assert.ok((await client.readAll(response)).equals(bytes));
        await client.next(TRAILERS, id);
        await client.next(END, id);
        assert.deepEqual(client.trailers(id), ["länge", String(bytes.length)]);
        assert.equal(client.close(id), 0);
        assert.equal(client.close(id), ESTATE);
    }
    await Promise.all([upload(), serve(), download()]);
});

test("write takes a range, and no bytes send the head", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]]);
    const id = client.push(["hello"], null, "", 10000, null, 0);
    const request = await server.next(REQUEST);
    const bytes = Buffer.from("0123456789");
    assert.equal(server.head(request.id, 200, null), 0);
    assert.equal(server.write(request.id, bytes, 0, 0), 0);
    const response = await client.next(RESPONSE, id);
    assert.equal(server.write(request.id, bytes, 3, 5), 0);
    assert.throws(() => server.write(request.id, bytes, 5, 3), TypeError);
    assert.throws(() => server.write(request.id, bytes, 0, 11), TypeError);
    assert.throws(() => server.write(request.id, bytes, -1, 3), TypeError);
    assert.throws(() => server.write(request.id, "text", 0, 1), TypeError);
    assert.equal(server.read(request.id, new Uint8Array(0)), EINVAL);
    assert.equal(server.finish(request.id), 0);
    assert.equal((await client.readAll(response)).toString(), "34");
});

test("a failure behind the head is no short body", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]]);
    const id = client.push(["hello"], null, "", 10000, null, 0);
    const request = await server.next(REQUEST);
    server.write(request.id, Buffer.from("half"), 0, 4);
    const response = await client.next(RESPONSE, id);
    assert.equal(response.body.toString(), "half");
    assert.equal(server.fail(request.id, 500, "%s%n"), 0);
    assert.equal((await client.next(FAILED, id)).code, ERESET);
    assert.equal(client.close(id), 0);
});

test("a requester that goes is told, and one whose time is up", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]]);
    const id = client.push(["hello"], null, "", 0, null, 0);
    const request = await server.next(REQUEST);
    assert.equal(request.remaining, 0xffffffff);
    assert.equal(server.remaining(request.id), 0xffffffff);
    client.close(id);
    assert.ok((await server.next(CANCELED, request.id)).code < 0);
    assert.ok(server.respond(request.id, 200, null, "x") < 0);
    assert.equal(server.finish(request.id), ESTATE);

    const late = client.push(["hello"], null, "", 30, null, 0);
    const second = await server.next(REQUEST);
    assert.equal((await server.next(DEADLINE, second.id)).code, ETIMEDOUT);
    assert.ok(server.remaining(second.id) < 30); // 0, unless the requester's clock was before ours
    assert.ok(server.finish(second.id) < 0);
    assert.equal((await client.next(FAILED, late)).code, ETIMEDOUT);
});

// ---- calls ----

test("a service that nobody has fails, and one call may name several", async (t) => {
    const { server, client } = await mesh(t, [["b", 2, 0]], (record, node) =>
        record.type === REQUEST && node.respond(record.id, 200, null, String(record.service)) === 0);
    const id = client.push(["a"], null, "", 1000, null, 0);
    assert.equal((await client.next(FAILED, id)).code, ENOPROVIDER);
    assert.equal(client.read(id, new Uint8Array(1)), ENOPROVIDER);
    assert.equal(client.close(id), 0);
    const several = client.push(["a", "b"], null, "", 1000, null, 0);
    assert.equal((await client.next(RESPONSE, several)).body.toString(), "2");
    assert.equal(server.batches.length > 0, true);
});

test("a small response is one record, and nothing comes behind it", async (t) => {
    const { client } = await mesh(t, [["hello", 1, 0]], (record, node) =>
        record.type === REQUEST && node.respond(record.id, 200, null, "x") === 0);
    for (let i = 0; i < 100; i++) {
        const id = client.push(["hello"], null, "", 1000, null, 0);
        const response = await client.next(RESPONSE, id);
        if (!response.isComplete) {
            await client.readAll(response);
            await client.next(END, id);
        }
        client.close(id);
    }
    assert.deepEqual(client.records.filter(({ type }) => type <= FAILED && type !== 3), []);
});

test("a provider is asked by its handle", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]], (record, node) =>
        record.type === REQUEST && node.respond(record.id, 200, null, "x") === 0);
    const [provider, ...more] = client.providers(["none", "hello"]);
    assert.deepEqual(more, []);
    const up = await client.next(PEER_UP);
    assert.equal(provider.handle, up.handle);
    assert.deepEqual(provider.publicKey, up.publicKey);
    assert.ok(provider.isProven && up.isProven && !provider.isAnonymous && !up.isAnonymous);
    assert.equal(`${provider.host}:${provider.port}`, server.listenAddr(0));
    assert.equal(`${up.host}:${up.port}`, server.listenAddr(0));
    assert.deepEqual(client.providers(["none"]), []);
    const own = server.providers(["hello"]);
    assert.equal(own.length, 1);

    const id = client.push(["hello"], null, "", 1000, provider.handle, 0);
    assert.equal((await client.next(RESPONSE, id)).status, 200);
    const other = client.push(["hello"], null, "", 1000, 12345n, 0);
    assert.equal((await client.next(FAILED, other)).code, ENOPROVIDER);
    assert.throws(() => client.push(["hello"], null, "", 1000, 2n ** 64n, 0), TypeError);
    assert.throws(() => client.push(["hello"], null, "", 1000, 1, 0), TypeError);
    assert.throws(() => client.providers([1]), TypeError("providers: services must be a string"));
});

test("a call ends with the request that it is for", async (t) => {
    const { server, client } = await mesh(t, [["outer", 1, 0], ["inner", 2, 0]]);
    const outer = client.push(["outer"], null, "", 10000, null, 0);
    const request = await server.next(REQUEST);
    const inner = server.push(["inner"], null, "", 0, null, request.id);
    const nested = await server.next(REQUEST);
    assert.equal(nested.service, 2);
    assert.ok(nested.remaining <= 10000);
    client.close(outer);
    assert.equal((await server.next(FAILED, inner)).code, ECANCELED);
    await server.next(CANCELED, nested.id);
    server.finish(request.id);
    assert.equal(server.push(["inner"], null, "", 0, null, request.id), ECANCELED);
    server.finish(nested.id);
});

test("push checks what it is given", async (t) => {
    const { client } = await mesh(t, [["hello", 1, 0]]);
    assert.equal(client.push([], null, "", 0, null, 0), EINVAL);
    assert.equal(client.push(["hello"], ["bad\nname", "x"], "", 0, null, 0), EINVAL);
    assert.equal(client.push(["hello"], ["name", "bad\0value"], "", 0, null, 0), EINVAL);
    assert.equal(client.push(["hello"], ["a", "x".repeat(300000)], "", 0, null, 0), ETOOBIG);
    assert.throws(() => client.push(["hello"], ["a"], "", 0, null, 0),
        TypeError("push: headers must be names and values"));
    assert.throws(() => client.push(["hello"], ["a\0", ""], "", 0, null, 0), TypeError);
    assert.throws(() => client.push("hello", null, "", 0, null, 0), TypeError);
    assert.throws(() => client.push([1], null, "", 0, null, 0), TypeError);
    assert.throws(() => client.push(["hello"], null, 5, 0, null, 0), TypeError);
    assert.throws(() => client.push(["hello"], null, "", -1, null, 0), TypeError);
    assert.throws(() => client.push(["hello"], null, "", 0, null), TypeError);
});

// ---- misuse ----

test("an id that is gone, and one of the other kind, is ESTATE", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]]);
    const bytes = new Uint8Array(8);
    const all = (node, id, isCall) => {
        assert.equal(node.respond(id, 200, null, "x"), ESTATE);
        assert.equal(node.head(id, 200, null), ESTATE);
        assert.equal(node.finish(id), ESTATE);
        assert.equal(node.fail(id, 500, "x"), ESTATE);
        assert.equal(node.problem(id, 500, "x"), ESTATE);
        assert.equal(node.remaining(id), ESTATE);
        if (!isCall) {
            assert.equal(node.read(id, bytes), ESTATE);
            assert.equal(node.write(id, bytes, 0, 8), ESTATE);
            assert.equal(node.addTrailer(id, "a", "b"), ESTATE);
            assert.deepEqual(node.trailers(id), []);
            assert.equal(node.endBody(id), ESTATE);
            assert.equal(node.close(id), ESTATE);
        }
    };
    for (const id of [0, 1000, 0x7fffffff, 0xffffffff]) {
        all(client, id, false);
    }
    const id = client.push(["hello"], null, "", 1000, null, 0);
    all(client, id, true);
    const request = await server.next(REQUEST);
    assert.equal(server.endBody(request.id), ESTATE);
    assert.equal(server.close(request.id), ESTATE);
    server.finish(request.id);
    all(server, request.id, false);
    client.close(id);
    all(client, id, false);
    assert.throws(() => addon.respond(client.node, "1", 200, null, "x"), TypeError("respond: id must be a number from 0 to 4294967295"));
});

test("what is no node is a TypeError", () => {
    for (const name of ["start", "shutdown", "ref", "addService", "removeService", "providers", "listenAddr",
        "respond", "head", "finish", "fail", "problem", "remaining", "write", "read", "trailers", "addTrailer",
        "push", "endBody", "close"]) {
        for (const node of [undefined, null, {}, 1, "node"]) {
            assert.throws(() => addon[name](node, 1, 2, 3, 4, 5, 6), TypeError(`${name}: node must be a node`));
        }
    }
});

test("a getter of an array that throws is not hidden", async (t) => {
    const { client } = await mesh(t, []);
    const names = Object.defineProperty(["a"], 0, { get() { throw new RangeError("mine"); } });
    assert.throws(() => client.push(names, null, "", 0, null, 0), RangeError("mine"));
    assert.throws(() => client.providers(names), RangeError("mine"));
    assert.throws(() => client.ref(1), TypeError("ref: ref must be a boolean"));
});

test("a node that is gone is ESTATE everywhere", async () => {
    const node = new NativeNode({ secretKey: KEY, bindAddrs: ["127.0.0.1:0"] });
    const all = () => {
        assert.equal(node.push(["a"], null, "", 0, null, 0), ESTATE);
        assert.equal(node.addService("a", 1, 0), ESTATE);
        assert.equal(node.removeService("a"), ESTATE);
        assert.equal(node.providers(["a"]), ESTATE);
        assert.equal(node.listenAddr(0), undefined);
        assert.equal(node.finish(1), ESTATE);
        assert.equal(node.ref(true), undefined);
    };
    all();
    await node.start([]);
    await node.shutdown();
    all();
    await assert.rejects(node.start([]), thrown(ESTATE));
});

// ---- services ----

test("services come and go while the node runs", async (t) => {
    const { server, client } = await mesh(t, [["a", 1, 0]], (record, node) =>
        record.type === REQUEST && node.respond(record.id, 200, null, String(record.service)) === 0);
    assert.equal(server.addService("a", 2, 0), EEXIST);
    assert.equal(server.addService("", 2, 0), EINVAL);
    assert.equal(server.addService("b", 7, STREAMING), 0);
    assert.throws(() => server.addService(1, 2, 0), TypeError);
    assert.throws(() => server.removeService(), TypeError);
    let response;
    do { // until the client was told of it
        const id = client.push(["b"], null, "", 1000, null, 0);
        response = await client.next([RESPONSE, FAILED], id);
        client.close(id);
    } while (response.type === FAILED && response.code === ENOPROVIDER);
    assert.equal(response.body.toString(), "7");
    assert.equal(server.removeService("b"), 0);
    assert.equal(server.removeService("b"), ENOENT);
});

test("the address of a listener, and none", async (t) => {
    const { server, client } = await mesh(t, []);
    assert.match(server.listenAddr(0), /^127\.0\.0\.1:\d+$/);
    assert.equal(server.listenAddr(1), undefined);
    assert.equal(client.listenAddr(0), undefined);
});

// ---- records ----

test("what does not fit in the inbox is told in several batches, or refused", async (t) => {
    const server = new NativeNode(
        { secretKey: KEY, bindAddrs: ["127.0.0.1:0"], services: [["hello", 1, 0]] }, undefined, 65536);
    const client = new NativeNode({}, undefined, 65536);
    t.after(() => Promise.all([server.shutdown(), client.shutdown()]));
    await server.start([]);
    await client.start([server.listenAddr(0)]);

    // Long ones, of which no two fit beside each other.
    const ids = [];
    for (let i = 0; i < 8; i++) {
        ids.push(client.push(["hello"], ["n", String(i), "long", "x".repeat(30000)], "y".repeat(10000), 0, null, 0));
    }
    for (let i = 0; i < 8; i++) {
        const request = await server.next(REQUEST);
        assert.equal(request.headers[1][1].length, 30000);
        assert.equal((await server.readAll(request)).length, 10000);
        server.respond(request.id, 200, ["long", "z".repeat(40000)], "!");
    }
    for (const id of ids) {
        const response = await client.next(RESPONSE, id);
        assert.equal(response.headers[0][1].length, 40000);
        client.close(id);
    }
    // One that never does.
    const refused = client.push(["hello"], ["long", "x".repeat(100000)], "", 0, null, 0);
    assert.equal((await client.next(RESPONSE, refused)).status, 431);
    const id = client.push(["hello"], null, "", 0, null, 0);
    server.respond((await server.next(REQUEST)).id, 200, ["long", "x".repeat(100000)], "");
    assert.equal((await client.next(FAILED, id)).code, ETOOBIG);
    assert.equal(client.close(id), 0);
});

async function until(predicate) {
    for (const end = Date.now() + WAIT_MS; !predicate(); ) {
        assert.ok(Date.now() < end, String(predicate));
        await new Promise(setImmediate);
    }
}

// Whatever threads other than JavaScript's do meanwhile.
function block(ms) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("more events than fit in the inbox are all told", async (t) => {
    const n = 5000; // of 16 bytes each; a peer may have 4096 requests open
    const server = new NativeNode(
        { secretKey: KEY, bindAddrs: ["127.0.0.1:0"], services: [["hello", 1, 0]] }, undefined, 65536);
    const clients = [new NativeNode(), new NativeNode()];
    t.after(() => Promise.all([server, ...clients].map((node) => node.shutdown())));
    await server.start([]);
    await Promise.all(clients.map((client) => client.start([server.listenAddr(0)])));
    const open = new Set();
    let canceled = 0;
    server.handler = ({ type, id }) => {
        if (type === REQUEST) {
            open.add(id);
        } else if (type === CANCELED && open.delete(id)) {
            canceled++;
            server.finish(id);
        }
        return true;
    };
    const ids = Array.from({ length: n }, (_, i) => clients[i % 2].push(["hello"], null, "", 0, null, 0));
    await until(() => open.size === n);
    ids.forEach((id, i) => clients[i % 2].close(id));
    block(300);
    await until(() => canceled === n);
    assert.ok(Math.max(...server.batches) > 1000, "they came together");
});

test("what comes while a batch is told is told without end, and timers run meanwhile", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]]);
    const n = 40;
    let left = n;
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    t.after(() => clearInterval(timer));
    const next = () => client.push(["hello"], null, "", 0, null, 0);
    const done = new Promise((resolve) => {
        server.handler = ({ type, id }) => {
            if (type === REQUEST) {
                server.respond(id, 200, null, "x");
                if (--left > 0) {
                    next();
                    block(10); // it comes before this batch has ended
                } else {
                    resolve();
                }
            }
            return true;
        };
    });
    next();
    await Promise.race([done, new Promise((_, reject) => setTimeout(reject, WAIT_MS, new Error("late")).unref())]);
    assert.ok(ticks >= 5, `${ticks} turns of the loop`);
});

test("many requests come in few batches", async (t) => {
    const { server, client } = await mesh(t, [["hello", 1, 0]], (record, node) =>
        record.type === REQUEST && node.respond(record.id, 200, null, "x") === 0);
    let left = 0;
    let finish;
    const done = new Promise((resolve) => (finish = resolve));
    client.handler = (record) => {
        if (record.type === RESPONSE) {
            client.close(record.id);
            if (--left === 0) {
                finish();
            }
        }
        return true;
    };
    const before = server.batches.length;
    for (left = 0; left < 2000; left++) {
        client.push(["hello"], null, "", 10000, null, 0);
    }
    await done;
    assert.ok(server.batches.length - before < 500, `${server.batches.length - before} batches`);
});

// ---- shutdown ----

test("shutdown waits for what runs, and the promise is one", async () => {
    const server = new NativeNode(
        { secretKey: KEY, bindAddrs: ["127.0.0.1:0"], services: [["hello", 1, 0]] });
    const client = new NativeNode();
    await server.start([]);
    await client.start([server.listenAddr(0)]);
    const answer = call(client, "hello");
    const { id } = await server.next(REQUEST);
    const shut = server.shutdown();
    assert.equal(server.shutdown(), shut);
    let isShut = false;
    shut.then(() => (isShut = true));
    await until(() => client.providers(["hello"]).length === 0); // the client was told that it takes no new ones
    const refused = client.push(["hello"], null, "", 0, null, 0);
    assert.ok((await client.next(FAILED, refused)).code < 0);
    assert.equal(isShut, false);
    assert.equal(server.respond(id, 200, null, "late"), 0);
    assert.equal((await answer).body.toString(), "late");
    await shut;
    await server.next(DRAINED);
    await server.next(CLOSED);
    await client.next(PEER_DOWN);
    await client.shutdown();
});

test("shutdown ends what does not end by itself", async () => {
    const server = new NativeNode({
        secretKey: KEY, bindAddrs: ["127.0.0.1:0"], services: [["hello", 1, 0], ["never", 2, 0]],
        shutdownTimeoutMs: 50,
    });
    const client = new NativeNode();
    await server.start([]);
    await client.start([server.listenAddr(0)]);
    const id = client.push(["hello"], null, "", 0, null, 0);
    const { id: request } = await server.next(REQUEST);
    const own = server.push(["never"], null, "", 0, null, 0);
    const { id: second } = await server.next(REQUEST);
    await server.shutdown();
    await server.next(CANCELED, request);
    await server.next(FAILED, own);
    assert.equal(server.finish(request), ESTATE);
    assert.equal(server.fail(second, 500, "x"), ESTATE);
    assert.equal(server.close(own), ESTATE);
    assert.ok((await client.next(FAILED, id)).code < 0);
    await client.shutdown();
});
