"use strict";
// The addon in processes and workers that end, in each way that they can.
const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { readdirSync } = require("node:fs");
const { join } = require("node:path");
const { test } = require("node:test");
const { Worker } = require("node:worker_threads");

const { NativeNode, mesh, REQUEST, RESPONSE, FAILED, PEER_DOWN, PEER_UP, WAIT_MS } = require("./native_node.js");

// What a program or a worker has at hand: `server` and `client` are started, and call each other.
const PRELUDE = `
const { addon, NativeNode, REQUEST, RESPONSE } = require(${JSON.stringify(join(__dirname, "native_node.js"))});
const server = new NativeNode({
    secretKey: addon.generateSecretKey(), bindAddrs: ["127.0.0.1:0"], services: [["hello", 1, 2]] });
const client = new NativeNode();
async function main(body) {
    await server.start([]);
    await client.start([server.listenAddr(0)]);
    await body();
}
`;

// Of process.exit nothing is freed, of V8 neither, and LeakSanitizer is not to look for it.
const WITHOUT_LEAKS = { ...process.env, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ""}:detect_leaks=0` };

// Runs a program until it ends, which it has to do by itself.
function run(body) {
    const env = body.includes("process.exit(") ? WITHOUT_LEAKS : process.env;
    return new Promise((resolve, reject) => {
        const child = spawn(process.execPath, ["-e", `${PRELUDE}\n${body}`],
            { stdio: ["ignore", "pipe", "pipe"], env });
        let output = "";
        child.stdout.on("data", (data) => (output += data));
        child.stderr.on("data", (data) => (output += data));
        const timer = setTimeout(() => child.kill("SIGKILL"), WAIT_MS);
        child.on("error", reject);
        child.on("close", (code, signal) => {
            clearTimeout(timer);
            resolve({ code, signal, output });
        });
    });
}

async function ends(body, code = 0, output = "") {
    const result = await run(body);
    assert.deepEqual(result, { code, signal: null, output });
}

function threads() {
    return readdirSync("/proc/self/task").length;
}

// Deno closes those of a worker when it collects it.
function descriptors() {
    return process.versions.deno ? 0 : readdirSync("/proc/self/fd").length;
}

// Until it holds: threads and descriptors of a worker go shortly after it.
async function eventually(predicate, what) {
    const end = Date.now() + WAIT_MS;
    while (!predicate()) {
        assert.ok(Date.now() < end, what());
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
}

// What one more `cycle` starts and opens is gone after it; the first one may leave what the process keeps.
async function leavesNothing(cycle, n) {
    await cycle();
    const before = [threads(), descriptors()];
    for (let i = 0; i < n; i++) {
        await cycle();
    }
    await eventually(() => threads() <= before[0] && descriptors() <= before[1],
        () => `${[threads(), descriptors()]}, and ${before} before`);
}

test("a process ends after shutdown", () =>
    ends(`main(async () => { await client.shutdown(); await server.shutdown(); console.log("end"); });`,
        0, "end\n"));

test("a node keeps its process alive", async () => {
    const { signal, output } = await run(`main(() => {
        client.ref(false);
        setTimeout(() => process.kill(process.pid, "SIGTERM"), 300).unref();
        process.on("exit", () => console.log("ended by itself"));
    });`);
    assert.deepEqual([signal, output], ["SIGTERM", ""]);
});

test("nodes that are not to keep it alive let the process end", () =>
    ends(`main(() => { server.ref(false); client.ref(false); });`));

test("the same before start, and taken back", async () => {
    await ends(`server.ref(false); client.ref(false); const keep = setInterval(() => {}, 1000);
        main(() => clearInterval(keep));`);
    await ends(`main(async () => { server.ref(false); client.ref(false); server.ref(true);
        setTimeout(() => { console.log("alive"); server.ref(false); }, 50).unref(); });`, 0, "alive\n");
});

test("a start that waits keeps the process alive, and one that has failed does not", () =>
    ends(`const node = new NativeNode({ startTimeoutMs: 50, startNeedsPeer: true, reconnectAttempts: 1000 });
        node.start(["127.0.0.1:1"]).catch((error) => console.log(error.code));`, 0, "-7\n"));

test("shutdown is waited for, also of a node that is not to keep the process alive", () =>
    ends(`main(() => { server.ref(false); client.ref(false);
        client.shutdown().then(() => server.shutdown()).then(() => console.log("end")); });`, 0, "end\n"));

test("a node that is only created does not keep the process alive", () => ends(""));

test("a process ends by itself with requests and calls open", () =>
    ends(`main(async () => {
        for (let i = 0; i < 100; i++) { client.push(["hello"], null, null, 0, null, 0); }
        await server.next(REQUEST);
        server.ref(false); client.ref(false);
    });`));

test("process.exit in the middle of a batch", () =>
    ends(`main(() => {
        server.handler = () => process.exit(7);
        for (let i = 0; i < 100; i++) { client.push(["hello"], null, "x", 0, null, 0); }
    });`, 7));

test("process.exit while requests are being served", () =>
    ends(`main(() => {
        let n = 0;
        server.handler = ({ type, id }) => type === REQUEST && server.respond(id, 200, null, "x") === 0;
        client.handler = ({ type, id }) => {
            if (type === RESPONSE) {
                client.close(id);
                client.push(["hello"], null, "", 0, null, 0);
                if (++n === 500) { process.exit(3); }
            }
            return true;
        };
        for (let i = 0; i < 64; i++) { client.push(["hello"], null, "", 0, null, 0); }
    });`, 3));

test("process.exit while nodes start and shut down", async () => {
    await ends(`server.start([]); client.start(["127.0.0.1:1"]); process.exit(4);`, 4);
    await ends(`main(() => { server.shutdown(); client.shutdown(); process.exit(5); });`, 5);
});

test("a signal ends the process", async () => {
    const { signal } = await run(`main(() => process.kill(process.pid, "SIGTERM"));`);
    assert.equal(signal, "SIGTERM");
});

test("an uncaught exception ends the process", async () => {
    const { code, output } = await run(`main(() => {
        server.handler = () => { throw new Error("mine"); };
        client.push(["hello"], null, "x", 0, null, 0);
    });`);
    assert.equal(code, 1);
    assert.match(output, /[Ee]rror: mine/);
});

test("an exception of onBatch is uncaught, and the next batch comes", () =>
    ends(`main(async () => {
        const id = client.push(["hello"], null, "x", 0, null, 0);
        process.once("uncaughtException", async (error) => {
            console.log(error.message);
            server.handler = () => false;
            client.push(["hello"], null, "x", 0, null, 0);
            server.respond((await server.next(REQUEST)).id, 200, null, "x");
            server.respond(thrower, 200, null, "y");
            console.log((await client.next(RESPONSE, id)).body.toString());
            await client.shutdown();
            await server.shutdown();
        });
        let thrower;
        server.handler = ({ id }) => { thrower = id; throw new Error("mine"); };
    });`, 0, "mine\ny\n"));

test("a child process has none of it", () =>
    ends(`const { execFileSync } = require("node:child_process");
        main(async () => {
            console.log(execFileSync(process.execPath, ["-e", "console.log('child')"]).toString().trim());
            const id = client.push(["hello"], null, "", 0, null, 0);
            server.respond((await server.next(REQUEST)).id, 200, null, "x");
            await client.next(RESPONSE, id);
            await client.shutdown();
            await server.shutdown();
        });`, 0, "child\n"));

// Nodes that are dropped without shutdown, before they were started.
test("nodes that were never started are collected", async () => {
    const { code, output } = await run(`
        for (let i = 0; i < 20; i++) { new NativeNode({ services: [["a", 1, 0]] }).shutdown(); }
        console.log("end");`);
    assert.deepEqual([code, output], [0, "end\n"]);
});

test("nodes of a process come and go", async () => {
    const once = async () => {
        const server = new NativeNode({ bindAddrs: ["127.0.0.1:0"], secretKey: key, services: [["a", 1, 0]] });
        const client = new NativeNode();
        await server.start([]);
        await client.start([server.listenAddr(0)]);
        const id = client.push(["a"], null, "x", 0, null, 0);
        server.respond((await server.next(REQUEST)).id, 200, null, "y");
        await client.next(RESPONSE, id);
        await Promise.all([client.shutdown(), server.shutdown()]);
    };
    const key = require("./native_node.js").addon.generateSecretKey();
    await leavesNothing(once, 10);
});

// ---- workers ----

function worker(body, addr) {
    return new Worker(`
        const { parentPort, workerData } = require("node:worker_threads");
        ${PRELUDE}
        ${body}`, { eval: true, workerData: { addr } });
}

function message(from) {
    return new Promise((resolve, reject) => {
        from.once("message", resolve);
        from.once("error", reject);
    });
}

test("a worker that is terminated takes its node with it", async (t) => {
    const { server, addr } = await mesh(t, [["outer", 1, 0]]);
    const cycle = async () => {
        const one = worker(`
            const joined = new NativeNode({ secretKey: addon.generateSecretKey(), bindAddrs: ["127.0.0.1:0"],
                services: [["inner", 2, 2]] });
            joined.start([workerData.addr]).then(async () => {
                joined.push(["outer"], null, null, 0, null, 0);
                parentPort.postMessage(joined.listenAddr(0));
                await joined.next(REQUEST);
                parentPort.postMessage("request");
            });`, addr);
        await message(one);
        await server.next(PEER_UP);
        const outer = await server.next(REQUEST);
        const { promise, id } = callOf(server);
        await message(one);
        const begin = Date.now();
        await one.terminate();
        assert.ok(Date.now() - begin < 5000, "the worker ended at once");
        await server.next(PEER_DOWN);
        const { type, status, code } = await promise;
        assert.ok(type === RESPONSE ? status === 503 : code < 0);
        server.close(id);
        server.finish(outer.id);
    };
    await leavesNothing(cycle, 5);
});

// A call that the server makes of the worker's service.
function callOf(server) {
    const id = server.push(["inner"], null, "", 0, null, 0);
    return { id, promise: server.next([RESPONSE, FAILED], id) };
}

test("a worker that ends by itself, or by process.exit", async () => {
    for (const body of [
        `main(() => { server.ref(false); client.ref(false); parentPort.postMessage("up"); });`,
        `main(() => { parentPort.postMessage("up"); process.exit(0); });`,
        `main(() => { parentPort.postMessage("up"); server.handler = () => process.exit(0);
            client.push(["hello"], null, "x", 0, null, 0); });`,
        `main(() => { parentPort.postMessage("up"); client.shutdown(); server.shutdown(); process.exit(0); });`,
        `server.start([]); client.start(["127.0.0.1:1"]); parentPort.postMessage("up"); process.exit(0);`,
    ]) {
        const one = worker(body);
        const exited = new Promise((resolve) => one.once("exit", resolve));
        assert.equal(await message(one), "up");
        assert.equal(await exited, 0, body);
    }
});

test("a worker is terminated while its node starts", async () => {
    const one = worker(`
        const late = new NativeNode({ startTimeoutMs: 60000, reconnectAttempts: 100000 });
        late.start(["127.0.0.1:1"]);
        parentPort.postMessage("starting");`);
    await message(one);
    const begin = Date.now();
    await one.terminate();
    assert.ok(Date.now() - begin < 5000, "start did not hold it up");
});

test("a worker is terminated under load", async () => {
    for (let i = 0; i < 5; i++) {
        const one = worker(`main(() => {
            let n = 0;
            server.handler = ({ type, id }) => type === REQUEST && server.respond(id, 200, null, "x") === 0;
            client.handler = ({ type, id }) => {
                if (type === RESPONSE) {
                    client.close(id);
                    client.push(["hello"], null, "", 0, null, 0);
                    if (++n === 100) { parentPort.postMessage("loaded"); }
                }
                return true;
            };
            for (let i = 0; i < 64; i++) { client.push(["hello"], null, "", 0, null, 0); }
        });`);
        await message(one);
        await one.terminate();
    }
});

test("workers and the main thread have nodes of their own, at once", async (t) => {
    const { server, addr } = await mesh(t, [["main", 1, 0]], (record, node) =>
        record.type === REQUEST && node.respond(record.id, 200, null, record.body) === 0);
    const workers = Array.from({ length: 4 }, () => worker(`
        const node = new NativeNode();
        node.start([workerData.addr]).then(async () => {
            const texts = [];
            for (let i = 0; i < 50; i++) {
                const id = node.push(["main"], null, String(i), 0, null, 0);
                texts.push((await node.next(RESPONSE, id)).body.toString());
                node.close(id);
            }
            await node.shutdown();
            parentPort.postMessage(texts.length);
        });`, addr));
    const exits = workers.map((one) => new Promise((resolve) => one.once("exit", resolve)));
    assert.deepEqual(await Promise.all(workers.map(message)), [50, 50, 50, 50]);
    assert.deepEqual(await Promise.all(exits), [0, 0, 0, 0]);
    assert.ok(server.batches.length > 0);
});
