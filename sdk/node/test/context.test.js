"use strict";
// What a handler is given, and what it may answer with.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const { Duplex, Readable, finished, pipeline } = require("node:stream");
const { test } = require("node:test");
const { deferred, flatend, inTime, pair } = require("./lib/mesh.js");

const BIG = Buffer.alloc(3_000_000, "0123456789abcdef");

async function ask(t, handler, options = {}) {
    const { client } = await pair(t, { it: handler });
    return inTime(client.call("it", options), "a response");
}

test("a handler answers with send, json, end, write and a pipe", async (t) => {
    const { client } = await pair(t, {
        send: (ctx) => ctx.send("Hello world!"),
        bytes: (ctx) => ctx.send(Buffer.from("bytes")),
        json: (ctx) => ctx.json({ a: [1, null] }),
        end: (ctx) => ctx.end(),
        write: (ctx) => {
            ctx.write("hello ");
            ctx.end("world!");
        },
        pipe: (ctx) => ctx.pipe(ctx),
        file: (ctx) => fs.createReadStream(__filename).pipe(ctx),
        pipeline: (ctx) => pipeline(Readable.from(["a", "b"]), ctx, () => {}),
    });
    const text = async (service, body) => (await inTime(client.call(service, { body }))).text();

    assert.equal(await text("send"), "Hello world!");
    assert.equal(await text("bytes"), "bytes");
    assert.equal(await text("json"), '{"a":[1,null]}');
    assert.equal(await text("end"), "");
    assert.equal(await text("write"), "hello world!");
    assert.equal(await text("pipe", "abc"), "abc");
    assert.ok(BIG.equals(await (await client.call("pipe", { body: BIG })).bytes()));
    assert.equal(await text("file"), fs.readFileSync(__filename, "utf8"));
    assert.equal(await text("pipeline"), "ab");
});

test("json says what it is, unless the handler has", async (t) => {
    const response = await ask(t, (ctx) => ctx.json(null));
    assert.equal(response.headers["content-type"], "application/json");
    assert.equal(await response.json(), null);
    const other = await ask(t, (ctx) => ctx.header("Content-Type", "application/hal+json").json({}));
    assert.equal(other.headers["content-type"], "application/hal+json");
});

test("a context is a Duplex, made only when it is used as one", async (t) => {
    const seen = deferred();
    await ask(t, (ctx) => {
        seen.resolve([ctx instanceof Duplex, ctx instanceof flatend.Context, ctx._rs === undefined, ctx.writable, ctx.readable,
            ctx._rs !== undefined]);
        ctx.end();
    });
    assert.deepEqual(await seen.promise, [true, true, true, true, true, true]);
});

test("headers, parameters, query, cookies, method and path of a request", async (t) => {
    const response = await ask(
        t,
        (ctx) => ({
            headers: ctx.headers["x-a"], all: ctx.headersAll("X-A"), raw: ctx.rawHeaders.slice(0, 2), method: ctx.method,
            path: ctx.path, id: ctx.params.userId, lower: ctx.params.userid, none: ctx.params.other === undefined,
            query: { ...ctx.query }, cookie: ctx.cookies.user, service: ctx.service,
        }),
        {
            headers: [["X-A", "1"], ["x-a", "2"], [":method", "GET"], [":path", "/a?b=c"], ["params.userid", "7"], ["query.b", "c"],
                ["cookie", 'user="me"; user=you; x=y']].filter(([name]) => name[0] !== ":"),
        },
    );
    const got = await response.json();
    assert.deepEqual(
        { ...got, method: undefined, path: undefined },
        { headers: "2", all: ["1", "2"], raw: ["x-a", "1"], id: "7", lower: "7", none: true, query: { b: "c" }, cookie: "me",
            service: "it", method: undefined, path: undefined },
    );
});

test("header names that HTTP forbids travel the mesh", async (t) => {
    const response = await ask(
        t,
        (ctx) => {
            ctx.header("header key", "header val");
            ctx.header("größe", "5 €");
            ctx.json(ctx.headers);
        },
        { headers: { "a name with spaces": "1", "x(y)": "2", __proto__x: "3", "größe": "ü😀" } },
    );
    assert.equal(response.headers["header key"], "header val");
    assert.equal(response.headers["größe"], "5 €");
    const sent = await response.json();
    assert.deepEqual(
        [sent["a name with spaces"], sent["x(y)"], sent["__proto__x"], sent["größe"]], ["1", "2", "3", "ü😀"]);
});

test("a header called __proto__ is a header like others", async (t) => {
    const response = await ask(t, (ctx) => [Object.hasOwn(ctx.headers, "__proto__"), ctx.headersAll("__proto__")],
        { headers: [["__proto__", "1"]] });
    assert.deepEqual(await response.json(), [true, ["1"]]);
});

test("a status, headers that are replaced, and several Set-Cookie", async (t) => {
    const response = await ask(t, (ctx) => {
        ctx.status(201).header("X-A", "1").header("x-a", 2).append("Set-Cookie", "a=1").append("set-cookie", "b=2");
        assert.equal(ctx.statusCode, 201);
        return "made";
    });
    assert.equal(response.status, 201);
    assert.equal(response.ok, true);
    assert.equal(response.headers["x-a"], "2");
    assert.deepEqual(response.headersAll("Set-Cookie"), ["a=1", "b=2"]);
    assert.equal(await response.text(), "made");
});

test("wrong headers and statuses are refused by name", async (t) => {
    const response = await ask(t, (ctx) => {
        const texts = [];
        for (const wrong of [() => ctx.header("a\n", "b"), () => ctx.header("a", "b\r\nc"), () => ctx.header(1, "b"),
            () => ctx.header("a", {}), () => ctx.header("", "b"), () => ctx.status(99), () => ctx.status("200"),
            () => ctx.fail(1000, "x"), () => ctx.json(undefined)]) {
            assert.throws(wrong, (error) => error instanceof TypeError && texts.push(error.message) > 0);
        }
        return texts;
    });
    const texts = await response.json();
    assert.equal(texts.length, 9);
    assert.match(texts[1], /Context\.header: the value of "a"/);
});

test("headers behind the head are ignored", async (t) => {
    const response = await ask(t, (ctx) => {
        ctx.write("x");
        assert.equal(ctx.headersSent, true);
        ctx.header("x-late", "1").status(404);
        ctx.end();
    });
    assert.equal(response.status, 200);
    assert.equal(response.headers["x-late"], undefined);
    assert.equal(await response.text(), "x");
});

test("read with an object, body, and read of streams", async (t) => {
    const { client } = await pair(t, {
        read: async (ctx) => (await ctx.read({ limit: 65536 })).toString().toUpperCase(),
        body: async (ctx) => (await ctx.body()).length,
        again: async (ctx) => String((await ctx.body()) === (await ctx.read({}))),
        stream: (ctx) => {
            let text = "";
            ctx.on("readable", () => {
                let chunk;
                while ((chunk = ctx.read()) !== null) {
                    text += chunk;
                }
            });
            ctx.on("end", () => ctx.send(text));
        },
        mixed: async (ctx) => {
            ctx.on("close", () => {}); // made a stream, not read as one
            return (await ctx.body()).length;
        },
    });
    const text = async (service, body) => (await inTime(client.call(service, { body }))).text();

    assert.equal(await text("read", "abc"), "ABC");
    assert.equal(await text("body", Buffer.alloc(65536)), "65536");
    assert.equal(await text("body"), "0");
    assert.equal(await text("again", "x"), "true");
    assert.equal(await text("stream", "piece by piece"), "piece by piece");
    assert.equal(await text("mixed", Buffer.alloc(60000)), "60000");
});

test("a body beyond the limit is an error with the status 413", async (t) => {
    for (const limit of [undefined, 10]) {
        const response = await ask(t, (ctx) => ctx.read({ limit }), { body: Buffer.alloc((limit ?? 65536) + 1) });
        assert.equal(response.status, 413);
        assert.deepEqual(await response.json(), { error: `Exceeded max allowed body size limit of ${limit ?? 65536} byte(s).` });
    }
    const response = await ask(t, { handler: async (ctx) => (await ctx.body()).length, limit: 70000 }, { body: Buffer.alloc(70000) });
    assert.equal(await response.text(), "70000");
});

test("for await over a request leaves its response alone", async (t) => {
    const { client } = await pair(t, {
        count: async (ctx) => {
            let n = 0;
            for await (const chunk of ctx) {
                n += chunk.length;
            }
            ctx.send(String(n));
        },
        stream: async (ctx) => {
            ctx.on("error", () => {});
            let n = 0;
            for await (const chunk of ctx) {
                n += chunk.length;
            }
            ctx.write(String(n));
            ctx.end("!");
        },
        leave: async (ctx) => {
            for await (const chunk of ctx) {
                ctx.send(String(chunk.length > 0));
                break;
            }
        },
        echo: async (ctx) => {
            for await (const chunk of ctx) {
                if (!ctx.write(chunk)) {
                    await new Promise((resolve) => ctx.once("drain", resolve));
                }
            }
            ctx.end();
        },
    });
    assert.equal(await (await client.call("count", { body: BIG })).text(), String(BIG.length));
    assert.equal(await (await client.call("stream", { body: BIG })).text(), `${BIG.length}!`);
    assert.equal(await (await client.call("leave", { body: BIG })).text(), "true");
    assert.ok(BIG.equals(await (await client.call("echo", { body: BIG })).bytes()));
});

test("a handler returns a string, bytes, an object, a stream, an async iterator or a Response", async (t) => {
    const headers = new Headers({ "x-a": "1" });
    headers.append("set-cookie", "a=1");
    headers.append("set-cookie", "b=2");
    const { client } = await pair(t, {
        string: () => "text",
        async: async () => "later",
        bytes: () => new Uint8Array([104, 105]),
        buffer: () => new Uint8Array([104, 105]).buffer,
        object: () => ({ a: 1 }),
        list: () => [1, 2],
        null: () => null,
        number: () => 42,
        stream: () => Readable.from(["a", Buffer.from("b")]),
        file: () => fs.createReadStream(__filename),
        web: () => new Blob(["we", "b"]).stream(),
        blob: () => new Blob(["blob"]),
        iterator: async function* iterate() {
            yield "a";
            await null;
            yield new Uint8Array([98]);
        },
        generator: function* generate() {
            yield "c";
        },
        response: () => new Response("made", { status: 201, headers }),
        empty: () => new Response(null, { status: 204 }),
    });
    const answer = async (service) => {
        const response = await inTime(client.call(service), service);
        return [response.status, response.headers["content-type"], await response.text()];
    };
    assert.deepEqual(await answer("string"), [200, "text/plain; charset=utf-8", "text"]);
    assert.deepEqual(await answer("async"), [200, "text/plain; charset=utf-8", "later"]);
    assert.deepEqual(await answer("bytes"), [200, "application/octet-stream", "hi"]);
    assert.deepEqual(await answer("buffer"), [200, "application/octet-stream", "hi"]);
    assert.deepEqual(await answer("object"), [200, "application/json", '{"a":1}']);
    assert.deepEqual(await answer("list"), [200, "application/json", "[1,2]"]);
    assert.deepEqual(await answer("null"), [200, "application/json", "null"]);
    assert.deepEqual(await answer("number"), [200, "application/json", "42"]);
    assert.deepEqual(await answer("stream"), [200, undefined, "ab"]);
    assert.deepEqual(await answer("file"), [200, undefined, fs.readFileSync(__filename, "utf8")]);
    assert.deepEqual(await answer("web"), [200, undefined, "web"]);
    assert.deepEqual(await answer("blob"), [200, undefined, "blob"]);
    assert.deepEqual(await answer("iterator"), [200, undefined, "ab"]);
    assert.deepEqual(await answer("generator"), [200, undefined, "c"]);
    assert.equal((await answer("response"))[2], "made");
    assert.deepEqual(await answer("empty"), [204, undefined, ""]);
    const response = await client.call("response");
    assert.deepEqual([response.status, response.headers["x-a"], response.headersAll("set-cookie")], [201, "1", ["a=1", "b=2"]]);
});

test("what is returned by accident is no response", async (t) => {
    const later = (ctx, value) => {
        setImmediate(() => ctx.send("sent later"));
        return value;
    };
    const { client } = await pair(t, {
        undefined: (ctx) => later(ctx, undefined),
        promise: async (ctx) => later(ctx, undefined),
        context: (ctx) => later(ctx, ctx),
        boolean: (ctx) => later(ctx, true),
        timer: (ctx) => later(ctx, typeof Bun === "undefined" ? setTimeout(() => {}, 1) : undefined),
        function: (ctx) => later(ctx, () => {}),
        emitter: (ctx) => later(ctx, process),
        written: (ctx) => {
            ctx.write("sent ");
            setImmediate(() => ctx.end("later"));
            return "not this";
        },
        piped: (ctx) => {
            Readable.from(["sent ", "later"]).pipe(ctx);
            return "not this";
        },
        ended: (ctx) => {
            ctx.send("sent later");
            return { not: "this" };
        },
    });
    for (const service of ["undefined", "promise", "context", "boolean", "timer", "function", "emitter", "written", "piped", "ended"]) {
        assert.equal(await (await inTime(client.call(service), service)).text(), "sent later", service);
    }
});

test("trailers come and go", async (t) => {
    const response = await ask(t, async (ctx) => {
        await ctx.body();
        ctx.trailer("x-sum", "7");
        ctx.write("a");
        ctx.end("b");
    });
    assert.equal(await response.text(), "ab");
    assert.deepEqual(response.trailers, { "x-sum": "7" });
    const whole = await ask(t, (ctx) => {
        ctx.trailer("x-sum", "8");
        ctx.send("short");
    });
    assert.equal(await whole.text(), "short");
    assert.deepEqual(whole.trailers, { "x-sum": "8" });
});

test("fail and problem answer with an error", async (t) => {
    const failed = await ask(t, (ctx) => ctx.fail(404, "no todo 7"));
    assert.deepEqual([failed.status, await failed.json()], [404, { error: "no todo 7" }]);
    const problem = await ask(t, (ctx) => ctx.problem(409, "taken"));
    assert.equal(problem.headers["content-type"], "application/problem+json");
    assert.deepEqual(await problem.json(), { title: "Conflict", status: 409, detail: "taken" });
});

test("an error that is thrown is sent as JSON, with the status 500 or its own", async (t) => {
    const { client } = await pair(t, {
        thrown: () => {
            throw new Error("This shouldn't happen!");
        },
        rejected: async () => {
            await null;
            throw new Error("nor this");
        },
        string: () => {
            throw "text";
        },
        own: () => {
            throw Object.assign(new Error("gone"), { status: 410 });
        },
        circular: () => {
            const value = {};
            value.value = value;
            return value;
        },
    });
    const answer = async (service) => {
        const response = await inTime(client.call(service));
        return [response.status, (await response.json()).error];
    };
    assert.deepEqual(await answer("thrown"), [500, "This shouldn't happen!"]);
    assert.deepEqual(await answer("rejected"), [500, "nor this"]);
    assert.deepEqual(await answer("string"), [500, "text"]);
    assert.deepEqual(await answer("own"), [410, "gone"]);
    assert.equal((await answer("circular"))[0], 500);
});

test("remaining is the time that the requester waits, Infinity if it did not say", async (t) => {
    const limited = await (await ask(t, (ctx) => [ctx.remaining > 0 && ctx.remaining <= 5000], { timeout: 5000 })).json();
    assert.deepEqual(limited, [true]);
    const unlimited = await (await ask(t, (ctx) => [ctx.remaining === Infinity])).json();
    assert.deepEqual(unlimited, [true]);
});

test("signal, isCanceled and error say that the requester has gone", async (t) => {
    const seen = deferred();
    const started = deferred();
    const { client } = await pair(t, {
        hang: (ctx) => {
            ctx.signal.addEventListener("abort", () => seen.resolve([ctx.isCanceled, ctx.signal.reason.code, ctx.remaining]));
            started.resolve();
        },
    });
    const stop = new AbortController();
    const call = client.call("hang", { signal: stop.signal });
    await started.promise;
    stop.abort(new Error("enough"));
    await assert.rejects(call, /enough/);
    const [isCanceled, code, remaining] = await inTime(seen.promise, "the signal");
    assert.deepEqual([isCanceled, remaining], [true, 0]);
    assert.match(code, /^E(CANCELED|RESET)$/);
});

test("the deadline of a request aborts its signal", async (t) => {
    const seen = deferred();
    const { client } = await pair(t, { hang: (ctx) => ctx.signal.addEventListener("abort", () => seen.resolve(ctx.signal.reason)) });
    await assert.rejects(client.call("hang", { timeout: 100 }), { code: "ETIMEDOUT" });
    assert.ok((await inTime(seen.promise, "the signal")) instanceof flatend.FlatendError);
});

test("id is an ID", async (t) => {
    const { client } = await pair(t, { it: (ctx) => [ctx.id instanceof flatend.ID, ctx.id.addr, ctx.id.isAnonymous, ctx.id.publicKey.length] });
    assert.deepEqual(await (await client.call("it")).json(), [true, "<anon>", true, 32]);
    const key = flatend.generateSecretKey();
    const known = await pair(
        t, { it: (ctx) => [ctx.id.addr, ctx.id.isProven, Buffer.from(ctx.id.publicKey).toString("hex"), ctx.headers["peer.id"]] },
        { client: { secretKey: key, bindAddrs: ["127.0.0.1:0"] } });
    const hex = flatend.publicKey(key).toString("hex");
    assert.deepEqual(await (await known.client.call("it")).json(), [known.client.listenAddrs[0], true, hex, hex]);
});

test("a context that is destroyed is an error for the requester", async (t) => {
    const { client } = await pair(t, {
        plain: (ctx) => ctx.destroy(),
        error: (ctx) => ctx.destroy(new Error("broken")),
        half: (ctx) => ctx.write(Buffer.alloc(100_000), () => setImmediate(() => ctx.destroy(new Error("broken")))),
    });
    assert.equal((await inTime(client.call("plain"))).status, 500);
    assert.deepEqual(await (await inTime(client.call("error"))).json(), { error: "broken" });
    await assert.rejects(inTime(client.call("half").then((response) => response.bytes())), { code: "ERESET" });
});

test("end calls back, and may be the only call", async (t) => {
    const seen = deferred();
    const response = await ask(t, (ctx) => {
        ctx.end("x", "utf8", () => seen.resolve(ctx.writableFinished));
    });
    assert.equal(await response.text(), "x");
    assert.equal(await inTime(seen.promise), true);
    const encoded = await ask(t, (ctx) => ctx.end("6869", "hex"));
    assert.equal(await encoded.text(), "hi");
});

test("many small writes arrive in their order", async (t) => {
    const response = await ask(t, (ctx) => {
        ctx.cork();
        for (let i = 0; i < 50_000; i++) {
            ctx.write(`${i},`);
        }
        ctx.uncork();
        ctx.end();
    });
    assert.equal(await response.text(), Array.from({ length: 50_000 }, (_, i) => `${i},`).join(""));
});

test("finished, finish and close come for what is answered in one call, too", async (t) => {
    const seen = deferred();
    await ask(t, (ctx) => {
        const events = [];
        ctx.on("finish", () => events.push("finish"));
        ctx.on("close", () => events.push("close"));
        finished(ctx, () => seen.resolve(events));
        ctx.resume();
        ctx.send("x");
    });
    assert.deepEqual(await inTime(seen.promise, "close"), ["finish", "close"]);
});

test("writes wait for the reader: back-pressure both ways", async (t) => {
    const sizes = { sent: 0 };
    const { client } = await pair(t, {
        endless: async function* endless() {
            for (;;) {
                sizes.sent += 65536;
                yield Buffer.alloc(65536);
            }
        },
        slow: async (ctx) => {
            await new Promise((resolve) => setTimeout(resolve, 100));
            return String((await ctx.body({ limit: Infinity })).length);
        },
    });
    const response = await client.call("endless");
    const reader = response[Symbol.asyncIterator]();
    await reader.next();
    let before;
    do {
        before = sizes.sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
    } while (sizes.sent !== before);
    assert.ok(sizes.sent < 4 * 1024 * 1024, `${sizes.sent} bytes are on their way`);
    await reader.return();

    let made = 0;
    const slow = await client.call("slow", {
        body: (async function* pieces() {
            for (let i = 0; i < 64; i++) {
                made += 65536;
                yield Buffer.alloc(65536);
            }
        })(),
    });
    assert.equal(await slow.text(), String(made));
});
