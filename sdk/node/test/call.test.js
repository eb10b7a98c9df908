"use strict";
// Calls, and what they give.
const assert = require("node:assert/strict");
const { Readable } = require("node:stream");
const { test } = require("node:test");
const { deferred, flatend, inTime, pair, start, until } = require("./lib/mesh.js");

const echo = async (ctx) => {
    for (const [name, value] of Object.entries(ctx.headers)) {
        if (name.startsWith("x-") || name === "content-type") {
            ctx.header(name, value);
        }
    }
    for await (const chunk of ctx) {
        if (!ctx.write(chunk)) {
            await new Promise((resolve) => ctx.once("drain", resolve));
        }
    }
    ctx.trailer("x-end", "yes");
    ctx.end();
};

test("a call gives status, headers, trailers, text, json and bytes", async (t) => {
    const { client } = await pair(t, { echo });
    const response = await client.call("echo", { headers: { "X-A": "1" }, body: '{"a":1}' });
    assert.ok(response instanceof flatend.CallResponse);
    assert.deepEqual([response.status, response.ok, response.headers["x-a"]], [200, true, "1"]);
    assert.deepEqual(await response.json(), { a: 1 });
    assert.equal(await response.text(), '{"a":1}');
    assert.equal((await response.arrayBuffer()).byteLength, 7);
    assert.deepEqual(response.trailers, { "x-end": "yes" });
});

test("a body is a string, bytes, an object, a stream, an async iterator or nothing", async (t) => {
    const { client } = await pair(t, { echo });
    const send = async (body) => {
        const response = await inTime(client.call("echo", { body }));
        return [await response.text(), response.headers["content-type"]];
    };
    assert.deepEqual(await send("text €"), ["text €", undefined]);
    assert.deepEqual(await send(new Uint8Array([97])), ["a", undefined]);
    assert.deepEqual(await send(new Uint16Array([0x6161])), ["aa", undefined]);
    assert.deepEqual(await send({ a: 1 }), ['{"a":1}', "application/json"]);
    assert.deepEqual(await send(Readable.from(["a", "b"])), ["ab", undefined]);
    assert.deepEqual(await send(new Blob(["web"]).stream()), ["web", undefined]);
    assert.deepEqual(await send((async function* pieces() { yield "c"; yield new Uint8Array([100]); })()), ["cd", undefined]);
    assert.deepEqual(await send(undefined), ["", undefined]);
});

test("a response is a web stream, a stream of Node.js, and an async iterator", async (t) => {
    const { client } = await pair(t, { echo });
    const body = Buffer.alloc(2_000_000, "0123456789");
    const web = await client.call("echo", { body });
    assert.ok(web.body instanceof ReadableStream);
    assert.equal(web.body, web.body);
    assert.ok(body.equals(Buffer.from(await new Response(web.body).arrayBuffer())));
    const chunks = [];
    for await (const chunk of (await client.call("echo", { body })).stream()) {
        chunks.push(chunk);
    }
    assert.ok(body.equals(Buffer.concat(chunks)));
    let n = 0;
    for await (const chunk of await client.call("echo", { body })) {
        n += chunk.length;
    }
    assert.equal(n, body.length);
    const byob = (await client.call("echo", { body: "abc" })).body.getReader({ mode: "byob" });
    assert.equal(Buffer.from((await byob.read(new Uint8Array(10))).value).toString(), "abc");
    assert.equal((await byob.read(new Uint8Array(10))).done, true);
});

test("trailers follow the body, also what is known of it only then", async (t) => {
    const { client } = await pair(t, {
        echo: async (ctx) => {
            const body = await ctx.body();
            return { body: body.toString(), trailers: ctx.trailers };
        },
    });
    const whole = await client.call("echo", { body: "whole", trailers: { "x-sum": 1 } });
    assert.deepEqual(await whole.json(), { body: "whole", trailers: { "x-sum": "1" } });
    const none = await client.call("echo", { trailers: { "x-sum": 2 } });
    assert.deepEqual(await none.json(), { body: "", trailers: { "x-sum": "2" } });
    let length = 0;
    const pieces = async function* () {
        for (const piece of ["a", "bc"]) {
            length += piece.length;
            yield piece;
        }
    };
    const streamed = await client.call("echo", { body: pieces(), trailers: () => ({ "x-length": length }) });
    assert.deepEqual(await streamed.json(), { body: "abc", trailers: { "x-length": "3" } });
    await assert.rejects(client.call("echo", { trailers: 7 }), TypeError("Node.call: trailers must be an object, or a function that returns one"));
    await assert.rejects(client.call("echo", { trailers: { "a b\n": "x" } }), TypeError);
});

test("a response has a limit if one is given", async (t) => {
    const { client } = await pair(t, { echo });
    const response = await client.call("echo", { body: Buffer.alloc(100) });
    await assert.rejects(response.bytes({ limit: 99 }), { name: "FlatendError", code: "ETOOBIG" });
});

test("errors are FlatendError with the codes of the C API", async (t) => {
    const { client } = await pair(t, { echo });
    const error = await client.call(["a", "b"]).catch((reason) => reason);
    assert.ok(error instanceof flatend.FlatendError && error instanceof Error);
    assert.deepEqual([error.name, error.code, error.errno], ["FlatendError", "ENOPROVIDER", -16]);
    assert.match(error.message, /^No nodes were able to process your request for service\(s\): \[a, b\]/);
});

test("a call whose provider takes it longer than its timeout is ETIMEDOUT", async (t) => {
    const { client } = await pair(t, { hang: () => {} });
    await assert.rejects(client.call("hang", { timeout: 50 }), { code: "ETIMEDOUT" });
});

test("a signal ends a call before, during and after its response", async (t) => {
    const { client, server } = await pair(t, {
        hang: () => {},
        endless: async function* endless() {
            for (;;) {
                yield Buffer.alloc(1000);
            }
        },
    });
    const reason = new Error("enough");
    await assert.rejects(client.call("hang", { signal: AbortSignal.abort(reason) }), reason);
    const stop = new AbortController();
    const waiting = client.call("hang", { signal: stop.signal });
    stop.abort(reason);
    await assert.rejects(waiting, reason);
    const later = new AbortController();
    const response = await client.call("endless", { signal: later.signal });
    later.abort(reason);
    await assert.rejects(response.bytes(), reason);
    await until(() => server._exchanges.size === 0 && client._exchanges.size === 0, "the end of both");
});

test("leaving a response early ends it at its provider", async (t) => {
    const ended = deferred();
    const { client } = await pair(t, {
        endless: async function* endless() {
            try {
                for (;;) {
                    yield Buffer.alloc(1000);
                }
            } finally {
                ended.resolve();
            }
        },
    });
    for await (const chunk of await client.call("endless")) {
        assert.ok(chunk.length > 0);
        break;
    }
    await inTime(ended.promise, "the end of the generator");
    const { body } = await client.call("endless");
    await body.cancel();
    (await client.call("endless")).close();
    await until(() => client._exchanges.size === 0, "the end of the calls");
});

test("a source that fails fails its call", async (t) => {
    const { client } = await pair(t, { echo: async (ctx) => (await ctx.body()).length });
    const body = (async function* fails() {
        yield "some";
        throw new Error("no more");
    })();
    await assert.rejects(client.call("echo", { body }), /no more/);
    await assert.rejects(client.call("echo", { body: Readable.from([{}]) }), /a body is made of strings and bytes/);
});

test("a call goes to the provider that it names", async (t) => {
    const first = await pair(t, { who: () => "first" });
    const second = await start(t, {
        bindAddrs: ["127.0.0.1:0"], secretKey: flatend.generateSecretKey(), addrs: first.server.listenAddrs,
        services: { who: () => "second" },
    });
    const client = await start(t, { addrs: [...first.server.listenAddrs, ...second.listenAddrs] });
    await until(() => client.providersFor(["who"]).length === 2, "both providers");
    for (const [node, name] of [[first.server, "first"], [second, "second"]]) {
        const provider = client.providersFor(["who"]).find((one) => one.addr === node.listenAddrs[0]);
        assert.deepEqual([...provider.services], ["who"]);
        assert.equal(await (await client.call("who", { provider })).text(), name);
        assert.equal(await (await provider.call("who")).text(), name);
        const stream = await provider.push(["who"], {}, []);
        assert.equal(Buffer.concat(await stream.body.toArray()).toString(), name);
    }
    await assert.rejects(client.call("who", { provider: 123456789n }), { code: "ENOPROVIDER" });
});

test("a call on behalf of a request ends with it, and has its time at most", async (t) => {
    const canceled = deferred();
    const hanging = deferred();
    const { client } = await pair(t, {
        hang: (ctx) => {
            ctx.signal.addEventListener("abort", () => canceled.resolve());
            hanging.resolve(ctx.remaining);
        },
        relay: (ctx) => ctx.node.call("hang", { parent: ctx }),
    });
    const stop = new AbortController();
    const call = client.call("relay", { signal: stop.signal, timeout: 10_000 });
    assert.ok((await hanging.promise) <= 10_000);
    stop.abort();
    await assert.rejects(call, { name: "AbortError" });
    await inTime(canceled.promise, "the cancellation");
});

test("what a handler returns too late is not read", async (t) => {
    const ended = { stream: deferred(), call: deferred() };
    const asked = deferred();
    const release = deferred();
    const { client, server } = await pair(t, {
        stream: async (ctx) => {
            asked.resolve();
            await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
            return new Readable({ read() {}, destroy: (error, callback) => callback(ended.stream.resolve()) });
        },
        endless: async function* endless() {
            try {
                for (;;) {
                    yield Buffer.alloc(10_000);
                }
            } finally {
                ended.call.resolve();
            }
        },
        relay: async (ctx) => {
            const { body } = await ctx.node.call("endless");
            release.resolve();
            await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
            return body;
        },
    });
    for (const [service, started] of [["stream", asked], ["relay", release]]) {
        const stop = new AbortController();
        const call = client.call(service, { signal: stop.signal });
        await started.promise;
        stop.abort();
        await assert.rejects(call, { name: "AbortError" });
    }
    await inTime(Promise.all([ended.stream.promise, ended.call.promise]), "the end of the streams");
    await until(() => server._exchanges.size === 0, "the end of the requests");
});

test("a call on behalf of a request that has ended is ECANCELED", async (t) => {
    const seen = deferred();
    const { client } = await pair(t, {
        it: (ctx) => {
            ctx.send("x");
            ctx.node.call("it", { parent: ctx }).catch(seen.resolve);
        },
    });
    await client.call("it");
    assert.equal((await inTime(seen.promise)).code, "ECANCELED");
});

test("providers and requests of another node are refused", async (t) => {
    const { client, server } = await pair(t, { it: (ctx) => client.call("it", { parent: ctx }) });
    const [provider] = client.providersFor(["it"]);
    await assert.rejects(server.call("it", { provider }), /provider must be a Provider of this node/);
    const response = await client.call("it");
    assert.deepEqual([response.status, await response.json()], [500, { error: "Node.call: parent must be a request of this node" }]);
});

test("wrong options of a call are named", async (t) => {
    const { client } = await pair(t, { echo });
    const wrong = [
        [[1], {}, /Node\.call: services/], [[], {}, /Node\.call: services/], ["echo", { timeout: "1" }, /Node\.call: timeout/],
        ["echo", { provider: {} }, /Node\.call: provider/], ["echo", { headers: 1 }, /Node\.call: headers/],
        ["echo", { parent: {} }, /Node\.call: parent/], ["echo", { signal: {} }, /Node\.call: signal/],
        ["echo", { headers: { a: {} } }, /Node\.call: the value of "a"/], ["echo", { body: 1 }, /Node\.call: body/],
    ];
    for (const [services, options, message] of wrong) {
        await assert.rejects(client.call(services, options), (error) => error instanceof TypeError && message.test(error.message));
    }
});

test("responses that are not read give their calls back when they are collected", { skip: typeof gc !== "function" }, async (t) => {
    const { client } = await pair(t, { big: () => Buffer.alloc(200_000) });
    for (let i = 0; i < 10; i++) {
        await client.call("big");
    }
    await until(() => {
        gc();
        return client._exchanges.size === 0;
    }, "the end of the calls");
});

test("push gives a stream with headers and body, as in 2020", async (t) => {
    const { client } = await pair(t, { echo });
    const stream = await client.push(["echo"], { "x-a": "1" }, Readable.from([Buffer.from("a"), "b"]));
    assert.ok(stream instanceof flatend.Stream);
    assert.deepEqual([stream.headers["x-a"], stream.status, typeof stream.id], ["1", 200, "number"]);
    const chunks = [];
    for await (const chunk of stream.body) {
        chunks.push(chunk);
    }
    assert.equal(Buffer.concat(chunks).toString(), "ab");
    assert.deepEqual(stream.trailers, { "x-end": "yes" });
    await assert.rejects(client.push(["nothing"], {}, Readable.from([])),
        /^FlatendError: No nodes were able to process your request for service\(s\): \[nothing\]/);
});

test("a thousand calls at once are answered, and leave nothing", async (t) => {
    const { client, server } = await pair(t, { n: async (ctx) => `${(await ctx.body()).toString()}!` });
    const calls = Array.from({ length: 1000 }, async (_, i) => (await client.call("n", { body: String(i) })).text());
    assert.deepEqual(await inTime(Promise.all(calls)), Array.from({ length: 1000 }, (_, i) => `${i}!`));
    assert.deepEqual([client._exchanges.size, server._exchanges.size], [0, 0]);
});
