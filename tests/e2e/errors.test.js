// What goes wrong, and what the client is told: each with the status that says which side is at fault.
import assert from "node:assert/strict";
import http from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { example, Gateway, OldPeer } from "./lib/mesh.js";
import { raw, RawConnection, request } from "./lib/http.js";

const routes = [
    { path: "GET /hello", service: "hello_world" },
    { path: "POST /pipe", service: "pipe" },
    { path: "GET /silent", service: "silent", timeout: "200ms" },
    { path: "POST /silent", service: "silent", timeout: "20s" },
    { path: "GET /nobody", services: ["nobody", "no_one"] },
];

async function start(t, settings = {}) {
    const gateway = await Gateway.start(t, { routes, ...settings });
    await example(t, "hello_world", gateway);
    return gateway;
}

// A reason in one line, as text or as JSON, whichever the client prefers.
async function assertProblem(url, status, options = {}) {
    const text = await request(url, options);
    assert.equal(text.status, status);
    assert.match(text.headers["content-type"], /^text\/plain/);
    assert.match(text.body, /^[^\n]+\n?$/);

    const headers = { ...options.headers, accept: "application/json" };
    const json = await request(url, { ...options, headers });
    assert.equal(json.status, status);
    assert.equal(json.headers["content-type"], "application/problem+json");
    assert.equal(JSON.parse(json.body).status, status);
    return text;
}

test("404, 405 with Allow, and OPTIONS", async (t) => {
    const gateway = await start(t);
    await assertProblem(gateway.url("/nowhere"), 404);
    const refused = await assertProblem(gateway.url("/pipe"), 405);
    assert.deepEqual(refused.headers.allow.split(/, */).sort(), ["OPTIONS", "POST"]);
    const options = await request(gateway.url("/hello"), { method: "OPTIONS" });
    assert.ok(options.status === 200 || options.status === 204);
    assert.deepEqual(options.headers.allow.split(/, */).sort(), ["GET", "HEAD", "OPTIONS"]);
});

test("503 when no node provides the service", async (t) => {
    const gateway = await start(t);
    const problem = await assertProblem(gateway.url("/nobody"), 503);
    assert.match(problem.body, /nobody.*no_one/);
});

test("504 when a service does not answer in time", async (t) => {
    const gateway = await start(t);
    await OldPeer.start(t, { addrs: [gateway.address], services: ["silent"] });
    await gateway.joined("silent");
    await assertProblem(gateway.url("/silent"), 504);
});

test("502 when a service dies before it answers", async (t) => {
    const gateway = await start(t);
    const peer = await OldPeer.start(t, { addrs: [gateway.address], services: ["silent"] });
    await gateway.joined("silent");
    const outgoing = http.request(gateway.url("/silent"), { method: "POST" });
    const answered = once(outgoing, "response");
    outgoing.end("all of it");
    await peer.waitFor("silent was asked");
    await peer.kill();
    const [response] = await answered;
    response.resume();
    assert.equal(response.statusCode, 502);
    assert.equal((await request(gateway.url("/hello"))).status, 200);
});

test("413 for a body over the limit, announced or not", async (t) => {
    const gateway = await start(t, { max: { body_size: 1000 } });
    await example(t, "pipe", gateway);
    const method = "POST";
    await assertProblem(gateway.url("/pipe"), 413, { method, body: "x".repeat(1001) });
    const fits = await request(gateway.url("/pipe"), { method, body: "x".repeat(1000) });
    assert.equal(fits.status, 200);
    assert.equal(fits.body.length, 1000);
    const chunks = `3e9\r\n${"x".repeat(1001)}\r\n0\r\n\r\n`;
    const reply = await raw(t, gateway.httpPort,
        `POST /pipe HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
    // Whether the service had begun to answer decides between the two ways to refuse.
    assert.ok(reply === "" || /^HTTP\/1\.1 (413|200) /.test(reply), reply);
    assert.ok(!/^HTTP\/1\.1 200 [^]*0\r\n\r\n$/.test(reply), "taken for the whole");
});

test("431 for headers that no node takes, and other requests go on", async (t) => {
    const gateway = await start(t);
    // Less than the listener takes, and more than there may be between two nodes.
    const reply = await assertProblem(gateway.url("/hello"), 431, {
        headers: { "x-big": "x".repeat(263_000) },
    });
    assert.match(reply.body, /header/i);
    assert.equal((await request(gateway.url("/hello"))).body, "Hello world!");
});

test("431 for headers over the listener's limit", async (t) => {
    const gateway = await start(t, { max: { header_size: 2000 } });
    const reply = await raw(t, gateway.httpPort,
        `GET /hello HTTP/1.1\r\nHost: a\r\nX-Big: ${"x".repeat(3000)}\r\n\r\n`);
    assert.match(reply, /^HTTP\/1\.1 431 /);
});

const malformed = {
    "no version": "GET /hello\r\nHost: a\r\n\r\n",
    "no host": "GET /hello HTTP/1.1\r\n\r\n",
    "two hosts": "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "space before the colon": "GET /hello HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    "folded header": "GET /hello HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
    "control character": "GET /hello HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
    "length and chunked": "POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" +
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": "POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "signed length": "POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    "not chunked last": "POST /pipe HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
    "chunk size of letters": "POST /pipe HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
};
for (const [name, bytes] of Object.entries(malformed)) {
    test(`400: ${name}`, async (t) => {
        const gateway = await start(t);
        await example(t, "pipe", gateway);
        const reply = await raw(t, gateway.httpPort, bytes);
        assert.match(reply, /^HTTP\/1\.1 400 /);
        assert.match(reply, /\r\nConnection: close\r\n/i);
        assert.equal((await request(gateway.url("/hello"))).status, 200);
    });
}

test("501 for a coding that is not ours", async (t) => {
    const gateway = await start(t);
    await example(t, "pipe", gateway);
    const reply = await raw(t, gateway.httpPort,
        "POST /pipe HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n");
    assert.match(reply, /^HTTP\/1\.1 501 [^]*\r\nConnection: close\r\n/i);
});

test("408 or a close for a request that never ends, within its time", async (t) => {
    const gateway = await start(t, { timeout: { read_header: "300ms" } });
    const reply = await raw(t, gateway.httpPort, "GET /hello HTTP/1.1\r\nHost: a\r\nX-");
    assert.ok(reply === "" || /^HTTP\/1\.1 408 /.test(reply), reply);
});

test("clients beyond the last descriptor wait, others are served", { timeout: 60_000 }, async (t) => {
    const gateway = await start(t, {
        routes: [...routes, { path: "GET /file", static: "config.toml" }],
        descriptors: 64,
        timeout: { read_header: "1s", idle: "60s" },
    });
    const served = new RawConnection(t, gateway.httpPort);
    const ask = async (path, pattern) => {
        served.received = "";
        served.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
        return (await served.receive(pattern))[0];
    };
    await ask("/file", /^HTTP\/1\.1 200 [^]*routes/);

    const before = [performance.now(), gateway.program.processorTime()];
    const silent = Array.from({ length: 150 }, () => new RawConnection(t, gateway.httpPort));
    const file = () => ask("/file", /^HTTP\/1\.1 (200 [^]*GET \/file[^]*"config.toml"|503 [^]*\n$)/);
    while (!(await file()).startsWith("HTTP/1.1 503 ")) {} // until there is none left for the file
    await ask("/hello", /^HTTP\/1\.1 200 [^]*Hello world!/);
    await Promise.all(silent.map((connection) => connection.end));
    // Each was accepted in its turn and had its second; no worker was busy with waiting.
    const [elapsed, used] = [performance.now() - before[0], gateway.program.processorTime() - before[1]];
    assert.ok(elapsed > 2000, `${elapsed} ms`);
    assert.ok(used < elapsed / 10, `${used} of ${elapsed} ms`);
    assert.equal((await request(gateway.url("/hello"))).body, "Hello world!");
});

test("hostile peers of the mesh are disconnected, and others are not disturbed", async (t) => {
    const gateway = await start(t);
    const hostile = [
        Buffer.alloc(32), // an all-zero key: no shared secret
        Buffer.alloc(64, 0xff), // a key, then a record of 4 GB
        Buffer.concat([Buffer.alloc(32, 9), Buffer.from([0, 0, 0, 0])]), // an empty record
        Buffer.concat([Buffer.alloc(32, 9), Buffer.from([0, 0, 0, 20]), Buffer.alloc(20)]), // forged
        Buffer.from("GET / HTTP/1.1\r\nHost: not a node at all\r\n\r\n"),
    ];
    for (const bytes of hostile) {
        const connection = new RawConnection(t, gateway.nodePort);
        connection.socket.write(bytes);
        await connection.all();
    }
    assert.equal((await request(gateway.url("/hello"))).status, 200);
});
