"use strict";
// Handlers that do it wrong, peers that die, processes that end: each has its error, nothing hangs, nothing stays.
const assert = require("node:assert/strict");
const { readdirSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { Readable } = require("node:stream");
const { test } = require("node:test");
const { deferred, flatend, inTime, isNode, pair, scratch, script, start, until } = require("./lib/mesh.js");

const SERVER = `
    const { Node, generateSecretKey } = require("flatend");
    const cluster = require("node:cluster");
    const { fork, execFileSync } = require("node:child_process");
    const late = () => new Promise((resolve) => setImmediate(resolve));
    const services = {
        exits: () => process.exit(3),
        half: async (ctx) => {
            ctx.write(Buffer.alloc(100_000, "a"));
            await late();
            process.stdout.write("half\\n");
        },
        dies: () => process.kill(process.pid, "SIGKILL"),
        child: () => execFileSync(process.execPath, ["-e", "console.log(6 * 7)"]).toString().trim(),
        uncaught: () => { setImmediate(() => { throw new Error("on its own"); }); },
        hello: () => "hello",
        hang: () => { process.stdout.write("hanging\\n"); },
    };
    module.exports = Node.start({ secretKey: generateSecretKey(), bindAddrs: ["127.0.0.1:0"], services, shutdownTimeout: 500 });
    module.exports.then((node) => console.log("listens " + node.listenAddrs[0]));`;

// A program that serves, and a node that knows it.
async function serverProgram(t, source = SERVER, options = {}) {
    const program = await script(t, source, options);
    const addr = (await program.waitFor(/^listens /)).split(" ")[1];
    return { program, client: await start(t, { addrs: [addr] }) };
}

test("an error that is thrown behind the head aborts the response", async (t) => {
    const { client } = await pair(t, {
        sync: (ctx) => {
            ctx.write("the first half");
            throw new Error("no more");
        },
        later: async (ctx) => {
            await new Promise((resolve) => ctx.write("the first half", resolve));
            throw new Error("no more");
        },
        iterator: async function* iterate() {
            yield Buffer.alloc(100_000);
            throw new Error("no more");
        },
        stream: () => new Readable({
            read() {
                this.push("some");
                process.nextTick(() => this.destroy(new Error("no more")));
            },
        }),
    });
    for (const service of ["later", "iterator"]) {
        const response = await inTime(client.call(service), service);
        await assert.rejects(inTime(response.bytes(), service), { name: "FlatendError", code: "ERESET" }, service);
    }
    for (const service of ["sync", "stream"]) { // which of both, depends on how far the first bytes have come
        const whole = await inTime(client.call(service).then((response) => response.text()), service).catch((error) => error);
        assert.ok(whole instanceof flatend.FlatendError || /no more/.test(whole), service);
    }
});

test("a source that fails before the head is a response with the status 500", async (t) => {
    const { client } = await pair(t, {
        iterator: async function* iterate() {
            throw new Error("nothing");
        },
        wrong: async function* iterate() {
            yield {};
        },
    });
    const answer = await client.call("iterator");
    assert.deepEqual([answer.status, await answer.json()], [500, { error: "nothing" }]);
    assert.match((await (await client.call("wrong")).json()).error, /a body is made of strings and bytes, not of object/);
});

test("a handler that never answers meets the deadline, and leaves nothing", async (t) => {
    const { client, server } = await pair(t, { never: () => {}, forever: () => new Promise(() => {}) });
    for (const service of ["never", "forever"]) {
        await assert.rejects(client.call(service, { timeout: 50 }), { code: "ETIMEDOUT" });
    }
    await until(() => server._exchanges.size === 0, "the end of the requests");
});

test("writes behind the end are errors of these writes", async (t) => {
    const seen = deferred();
    const errors = [];
    const { client } = await pair(t, {
        silent: (ctx) => {
            ctx.send("answer");
            ctx.send("another");
            ctx.write("more");
            ctx.end("the end");
        },
        told: (ctx) => {
            ctx.on("error", (error) => errors.push(error.code));
            ctx.end("answer");
            ctx.write("more", (error) => seen.resolve(error.code));
        },
        streamed: (ctx) => {
            ctx.write("ans");
            ctx.end("wer");
            ctx.write("more");
        },
        waiting: (ctx) => { // most of it waits for its reader
            ctx.write(Buffer.alloc(3_000_000));
            ctx.end("end");
            ctx.write("more");
            ctx.end("more");
        },
    });
    assert.equal((await inTime((await client.call("waiting")).bytes())).length, 3_000_003);
    for (const service of ["silent", "told", "streamed"]) {
        assert.equal(await (await inTime(client.call(service), service)).text(), "answer", service);
    }
    assert.equal(await inTime(seen.promise), "ERR_STREAM_WRITE_AFTER_END");
    assert.deepEqual(errors, ["ERR_STREAM_WRITE_AFTER_END"]);
});

test("a handler that ignores back-pressure loses nothing", async (t) => {
    const { client } = await pair(t, {
        flood: (ctx) => {
            for (let i = 0; i < 500; i++) {
                ctx.write(Buffer.alloc(10_000, i));
            }
            ctx.end();
        },
        whole: () => Buffer.alloc(20_000_000, 1),
    });
    const bytes = await inTime((await client.call("flood")).bytes());
    assert.equal(bytes.length, 5_000_000);
    assert.equal(bytes[4_999_999], 499 % 256);
    assert.equal((await inTime((await client.call("whole")).bytes())).length, 20_000_000);
});

test("headers that are too long are ETOOBIG, before and as a stream", async (t) => {
    const long = "x".repeat(300_000);
    const { client } = await pair(t, {
        whole: (ctx) => {
            ctx.header("x-long", long);
            assert.throws(() => ctx.send("x"), { code: "ETOOBIG" });
            throw new Error("too long");
        },
        stream: (ctx) => {
            ctx.header("x-long", long);
            ctx.write("x");
            ctx.end();
        },
        returned: (ctx) => {
            ctx.header("x-long", long);
            return "x";
        },
    });
    for (const service of ["whole", "stream", "returned"]) {
        const response = await inTime(client.call(service), service);
        assert.equal(response.status, 500);
        assert.match((await response.json()).error, /^too l/);
    }
    await assert.rejects(client.call("whole", { headers: { "x-long": long } }), { code: "ETOOBIG" });
});

test("a handler that rejects later changes nothing", async (t) => {
    const { client } = await pair(t, {
        later: async (ctx) => {
            ctx.send("answer");
            await new Promise((resolve) => setImmediate(resolve));
            throw new Error("too late");
        },
    });
    for (let i = 0; i < 3; i++) {
        assert.equal(await (await client.call("later")).text(), "answer");
    }
});

test("an error that a listener of the context throws is an error of the handler", async (t) => {
    const { client } = await pair(t, {
        data: (ctx) => ctx.on("data", () => {
            throw new Error("in data");
        }),
        end: (ctx) => ctx.resume().on("end", () => {
            throw new Error("in end");
        }),
        pipe: (ctx) => ctx.on("pipe", () => {
            throw new Error("in pipe");
        }) && Readable.from(["x"]).pipe(ctx),
    });
    for (const service of ["data", "end", "pipe"]) {
        const response = await inTime(client.call(service, { body: "x" }), service);
        assert.deepEqual([response.status, await response.json()], [500, { error: `in ${service}` }]);
    }
});

test("a listener of the node that throws is an uncaught error", async (t) => {
    const program = await script(t, `
        const { Node, generateSecretKey } = require("flatend");
        (async () => {
            const node = await Node.start({ secretKey: generateSecretKey(), bindAddrs: ["127.0.0.1:0"] });
            node.on("peer", () => { throw new Error("in peer"); });
            await Node.start({ addrs: node.listenAddrs });
        })();`);
    const { code } = await program.exit();
    assert.notEqual(code, 0);
    assert.match(program.output, /in peer/);
});

test("what is thrown outside of a handler's reach ends the process, and its requests", async (t) => {
    const { program, client } = await serverProgram(t);
    const outcome = await inTime(client.call("uncaught")).then(({ status }) => status, ({ code }) => code);
    assert.ok(outcome === "ECLOSED" || outcome === 503, outcome); // with or without a farewell
    assert.notEqual((await program.exit()).code, 0);
    assert.match(program.output, /on its own/);
});

test("a provider that dies before, in and behind the head is ECLOSED", async (t) => {
    for (const [service, ends] of [["hang", "hanging"], ["half", "half"]]) {
        const { program, client } = await serverProgram(t);
        const call = client.call(service).then((response) => response.bytes());
        call.catch(() => {});
        await program.waitFor(ends);
        await program.kill();
        await assert.rejects(inTime(call, service), { code: "ECLOSED" });
        await until(() => client._exchanges.size === 0, "the end of the call");
    }
    const { program, client } = await serverProgram(t);
    await assert.rejects(inTime(client.call("dies")), { code: "ECLOSED" });
    await program.exit();
});

test("a requester that dies is noticed, and its source ended", async (t) => {
    const states = { asked: deferred(), canceled: deferred(), ended: deferred() };
    const server = await start(t, {
        secretKey: flatend.generateSecretKey(), bindAddrs: ["127.0.0.1:0"], shutdownTimeout: 0,
        services: {
            hang: (ctx) => {
                ctx.signal.addEventListener("abort", () => states.canceled.resolve(ctx.signal.reason.code));
                states.asked.resolve();
            },
            endless: async function* endless() {
                try {
                    for (;;) {
                        yield Buffer.alloc(10_000);
                    }
                } finally {
                    states.ended.resolve();
                }
            },
            upload: async (ctx) => {
                await assert.rejects(ctx.body({ limit: Infinity }), { code: "ECLOSED" });
                states.upload.resolve();
            },
        },
    });
    states.upload = deferred();
    const program = await script(t, `
        const { Node } = require("flatend");
        Node.start({ addrs: ["${server.listenAddrs[0]}"] }).then((node) => {
            node.call("hang").catch(() => {});
            node.call("endless").then((response) => { globalThis.kept = response; console.log("asked"); });
            node.call("upload", { body: (async function* () { yield Buffer.alloc(100_000); await new Promise(() => {}); })() });
        });`);
    await Promise.all([program.waitFor("asked"), inTime(states.asked.promise)]);
    await until(() => server._exchanges.size === 3, "three requests");
    await program.kill();
    assert.equal(await inTime(states.canceled.promise, "canceled"), "ECLOSED");
    await inTime(states.ended.promise, "the end of the source");
    await inTime(states.upload.promise, "the end of the upload");
    await until(() => server._exchanges.size === 0, "the end of the requests");
});

test("process.exit in a handler ends the process at once, with its status", async (t) => {
    const { program, client } = await serverProgram(t);
    await assert.rejects(inTime(client.call("exits")), { code: "ECLOSED" });
    assert.deepEqual(await program.exit(), { code: 3, signal: null });
});

test("child processes and clusters have nodes of their own", { skip: !isNode }, async (t) => {
    const { client } = await serverProgram(t);
    assert.equal(await (await inTime(client.call("child"))).text(), "42");
    const { program, client: other } = await serverProgram(t, `
        const cluster = require("node:cluster");
        if (cluster.isPrimary) {
            const worker = cluster.fork();
            process.stdin.once("data", () => worker.kill());
            worker.once("exit", () => process.exit(0));
        } else {${SERVER}}`);
    assert.equal(await (await inTime(other.call("hello"))).text(), "hello");
    program.child.stdin.write("end\n");
    assert.equal((await program.exit()).code, 0);
});

test("worker threads have nodes of their own, also when they are terminated", async (t) => {
    const program = await script(t, `
        const { Worker, isMainThread, parentPort } = require("node:worker_threads");
        const { Node, generateSecretKey } = require("flatend");
        if (isMainThread) {
            (async () => {
                for (let i = 0; i < 3; i++) {
                    const worker = new Worker(__filename);
                    const addr = await new Promise((resolve) => worker.once("message", resolve));
                    const node = await Node.start({ addrs: [addr] });
                    const text = await (await node.call("thread")).text();
                    const hanging = node.call("hang").then((response) => response.status, (error) => error.code);
                    await worker.terminate();
                    console.log(text, await hanging);
                    await node.shutdown();
                }
                console.log("ended");
            })();
        } else {
            Node.start({ secretKey: generateSecretKey(), bindAddrs: ["127.0.0.1:0"], services: {
                thread: () => "from a thread",
                hang: () => {},
            } }).then((node) => parentPort.postMessage(node.listenAddrs[0]));
        }`);
    await program.waitFor("ended");
    assert.equal((await program.exit()).code, 0);
    assert.equal(program.lines.filter((line) => /^from a thread (5\d\d|E\w+)$/.test(line)).length, 3);
});

test("an addon that is missing, broken or for another platform is ERR_FLATEND_ADDON, and says why", async (t) => {
    const said = async (path) => {
        const program = await script(t, 'try { require("flatend"); } catch (error) { console.log(error.code, error.message); }',
            { env: { FLATEND_NODE_ADDON: path } });
        return program.waitFor(/^ERR_FLATEND_ADDON/);
    };
    assert.match(await said("/nowhere/flatend.node"), new RegExp(`no addon for ${process.platform}-${process.arch}: .*glibc`, "s"));
    const broken = join(scratch(t), "flatend.node");
    writeFileSync(broken, "\x7fELF, but not for this machine");
    assert.match(await said(broken), /no addon for/);
});

test("nodes that are started and shut down leave no thread, descriptor or memory", { skip: !isNode || typeof gc !== "function" }, async () => {
    const once = async () => {
        const a = await flatend.Node.start({
            secretKey: flatend.generateSecretKey(), bindAddrs: ["127.0.0.1:0"], services: { hello: () => "hello" },
        });
        const b = await flatend.Node.start({ addrs: a.listenAddrs });
        await (await b.call("hello")).text();
        await b.shutdown();
        await a.shutdown();
    };
    const count = (folder) => readdirSync(folder).length;
    await once();
    const before = { threads: count("/proc/self/task"), descriptors: count("/proc/self/fd") };
    let rss = 0;
    for (let i = 0; i < 100; i++) {
        await once();
        if (i === 49) {
            gc();
            rss = process.memoryUsage().rss;
        }
    }
    await until(() => count("/proc/self/task") <= before.threads, "the end of the threads");
    assert.ok(count("/proc/self/fd") <= before.descriptors);
    await until(() => {
        gc(); // in pieces: buffers are given back behind it
        return process.memoryUsage().rss < rss + 20 * 1024 * 1024;
    }, `less memory than ${process.memoryUsage().rss}, ${rss} before`);
});

test("requests leave no memory", { skip: !isNode || typeof gc !== "function" }, async (t) => {
    const { client } = await pair(t, {
        whole: (ctx) => ctx.send("hello"),
        stream: (ctx) => ctx.pipe(ctx),
        async: async (ctx) => ({ n: (await ctx.body()).length }),
    });
    const round = async (n) => {
        for (let i = 0; i < n; i++) {
            await Promise.all(["whole", "stream", "async"].map(async (name) => (await client.call(name, { body: "body" })).text()));
        }
        gc();
        return process.memoryUsage().heapUsed;
    };
    await round(500);
    const before = await round(500);
    const after = await round(3000);
    assert.ok(after < before + 2 * 1024 * 1024, `${before} -> ${after}`);
});
