// Clients that trickle: they are cut off, and those that only wait are not. Here min_rate is so high, and its
// grace so short, that clients on this machine are slow in a second or two.
import assert from "node:assert/strict";
import http2 from "node:http2";
import { connect } from "node:net";
import { once } from "node:events";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import tls from "node:tls";
import { example, freePort, Gateway, Peer, scratch } from "./lib/mesh.js";
import { frame, PREFACE, session } from "./lib/http2.js";
import { request } from "./lib/http.js";

const MiB = 1 << 20;
const FAST = { min_rate: 64 * MiB, min_rate_grace: "1s", read: "60s", write: "60s", idle: "60s", shutdown: "0" };
const SLOW_READER = /Cutting off the HTTP client .* takes a response more slowly than timeout\.min_rate allows/;
const SLOW_SENDER = /Cutting off the HTTP client .* sends a request body more slowly than timeout\.min_rate allows/;

function every(t, ms, call) {
    const timer = setInterval(call, ms);
    t.after(() => clearInterval(timer));
    return timer;
}

// A connection that has sent `text`; a reset is an end like any other.
function open(t, gateway, text) {
    const socket = connect(gateway.httpPort, "127.0.0.1");
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    socket.write(text);
    return socket;
}

// Takes a piece now and then, so that it always makes progress.
function trickle(t, socket) {
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    socket.on("data", () => socket.pause());
    every(t, 20, () => socket.resume());
    return new Promise((resolve) => socket.on("close", resolve));
}

function bigFile(t) {
    const folder = scratch(t);
    writeFileSync(join(folder, "big"), "");
    truncateSync(join(folder, "big"), 1024 * MiB);
    return folder;
}

const routes = [
    { path: "GET /hello", service: "hello_world" },
    { path: "POST /pipe", service: "pipe" },
    { path: "POST /hang", service: "hang" },
    { path: "POST /stream", service: "pipe", "timeout.read": "0", "timeout.write": "0" },
];

test("a slow reader of a file", { timeout: 60_000 }, async (t) => {
    const gateway = await Gateway.start(t, {
        timeout: FAST, routes: [{ path: "GET /files", static: bigFile(t) }],
    });
    const socket = open(t, gateway, "GET /files/big HTTP/1.1\r\nHost: a\r\n\r\n");
    const closed = trickle(t, socket);
    await gateway.program.waitFor(SLOW_READER);
    await closed;
    assert.ok(socket.bytesRead < 512 * MiB, `${socket.bytesRead} bytes`);
});

test("a slow reader of a file, over TLS", { timeout: 60_000 }, async (t) => {
    const gateway = await Gateway.start(t, {
        timeout: FAST, http: { https: "local" }, routes: [{ path: "GET /files", static: bigFile(t) }],
    });
    const socket = tls.connect({
        port: gateway.httpPort, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false,
    });
    await once(socket, "secureConnect");
    socket.write("GET /files/big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    void trickle(t, socket);
    await gateway.program.waitFor(SLOW_READER);
});

test("a slow reader of what a service answers; others go on", { timeout: 60_000 }, async (t) => {
    const gateway = await Gateway.start(t, { timeout: FAST, routes });
    await example(t, "pipe", gateway);
    await example(t, "hello_world", gateway);
    const socket = connect(gateway.httpPort, "127.0.0.1");
    const block = Buffer.alloc(64 * 1024);
    socket.write(`POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: ${1024 * MiB}\r\n\r\n`);
    every(t, 1, () => socket.writableLength < MiB && !socket.destroyed && socket.write(block));
    const closed = trickle(t, socket);
    await gateway.program.waitFor(SLOW_READER);
    await closed;
    assert.match((await request(gateway.url("/hello"))).body, /Hello/i);
});

// Frames by hand: a client that gives a byte of window at a time.
test("a window that trickles costs the stream, not the connection", { timeout: 60_000 }, async (t) => {
    const gateway = await Gateway.start(t, {
        timeout: FAST, routes: [{ path: "GET /f", static: bigFile(t) }],
    });
    const socket = connect(gateway.httpPort, "127.0.0.1");
    const get = (id, path) => frame(1, 5, id, Buffer.concat([
        Buffer.from([0x82, 0x86, 0x04, path.length]), Buffer.from(path), Buffer.from([1, 1, 97])]));
    const increment = Buffer.from([0, 0, 0, 1]);
    let received = Buffer.alloc(0);
    t.after(() => socket.destroy());
    socket.on("error", () => {});
    socket.write(Buffer.concat([PREFACE, frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])), get(1, "/f/big")]));
    const timer = every(t, 20, () => socket.write(frame(8, 0, 1, increment)));
    // The first frame of a type on a stream: its payload.
    async function first(type, id) {
        for (;;) {
            for (let at = 0; at + 9 <= received.length;) {
                const length = received.readUIntBE(at, 3);
                if (received[at + 3] === type && received.readUInt32BE(at + 5) === id &&
                    at + 9 + length <= received.length) {
                    return received.subarray(at + 9, at + 9 + length);
                }
                at += 9 + length;
            }
            const [data] = await once(socket, "data");
            received = Buffer.concat([received, data]);
        }
    }
    assert.equal((await first(3, 1)).readUInt32BE(0), http2.constants.NGHTTP2_CANCEL);
    clearInterval(timer);
    await gateway.program.waitFor(SLOW_READER);
    socket.write(get(3, "/f/nothing"));
    assert.ok((await first(1, 3)).length > 0); // 404
});

test("a slow sender to a handler that blocks", { timeout: 60_000 }, async (t) => {
    const gateway = await Gateway.start(t, { timeout: FAST, routes });
    const peer = await Peer.start(t, ["-S", "hang", gateway.address]);
    await gateway.joined("hang");
    const socket = connect(gateway.httpPort, "127.0.0.1");
    let answer = "";
    t.after(() => socket.destroy());
    socket.on("error", () => {});
    socket.on("data", (data) => (answer += data));
    socket.write(`POST /hang HTTP/1.1\r\nHost: a\r\nContent-Length: ${MiB}\r\n\r\n`);
    const ended = once(socket, "end");
    every(t, 20, () => !socket.destroyed && socket.write("x"));
    await gateway.program.waitFor(SLOW_SENDER);
    await peer.waitFor("canceled");
    await ended;
    assert.match(answer, /^HTTP\/1\.1 408 /);
    assert.match(answer, /the request body comes too slowly\n$/);
});

test("a slow sender over HTTP/2; the connection goes on", { timeout: 60_000 }, async (t) => {
    const gateway = await Gateway.start(t, { timeout: FAST, routes });
    const peer = await Peer.start(t, ["-S", "hang", gateway.address]);
    await gateway.joined("hang");
    const client = session(t, gateway);
    const stream = client.request({ ":method": "POST", ":path": "/hang" });
    every(t, 20, () => !stream.destroyed && !stream.writableEnded && stream.write("x"));
    stream.on("error", () => {});
    const [headers] = await once(stream, "response");
    assert.equal(headers[":status"], 408);
    await gateway.program.waitFor(SLOW_SENDER);
    await peer.waitFor("canceled");
    const other = client.request({ ":path": "/nothing" });
    assert.equal((await once(other, "response"))[0][":status"], 404);
});

// The same clients as above, at the same time, say how long is long enough.
test("what waits for nothing, and what a service holds up, is not cut off", { timeout: 60_000 }, async (t) => {
    const gateway = await Gateway.start(t, { timeout: FAST, routes: [
        ...routes, { path: "GET /files", static: bigFile(t) }] });
    const pipe = await example(t, "pipe", gateway);
    const client = session(t, gateway);
    // An idle stream, both ways.
    const idle = client.request({ ":method": "POST", ":path": "/stream" });
    idle.on("error", () => {}); // when all of it ends
    idle.write("a");
    assert.equal(String((await once(idle, "data"))[0]), "a");
    const plain = open(t, gateway, "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    await once(plain, "data");
    // A service that is stopped in the middle of uploads.
    pipe.signal("SIGSTOP");
    t.after(() => pipe.signal("SIGCONT"));
    const body = Buffer.alloc(4 * MiB, "b");
    const held = request(gateway.url("/pipe"), { method: "POST", body });
    const held2 = client.request({ ":method": "POST", ":path": "/pipe" });
    held2.end(body);
    let n2 = 0;
    held2.on("data", (data) => (n2 += data.length));
    const ended2 = once(held2, "end");
    for (let i = 0; i < 2; i++) {
        void trickle(t, open(t, gateway, "GET /files/big HTTP/1.1\r\nHost: a\r\n\r\n"));
        await gateway.program.waitFor(SLOW_READER);
    }
    pipe.signal("SIGCONT");
    const answer = await held;
    assert.equal(answer.status, 200);
    assert.equal(answer.body.length, body.length);
    await ended2;
    assert.equal(n2, body.length);
    idle.write("c");
    assert.equal(String((await once(idle, "data"))[0]), "c");
    plain.write("1\r\nc\r\n");
    assert.match(String((await once(plain, "data"))[0]), /c/);
    assert.equal(gateway.program.output.match(/Cutting off/g).length, 2);
});

test("a route has time-outs of its own, and none", { timeout: 60_000 }, async (t) => {
    const gateway = await Gateway.start(t, {
        timeout: { read: "500ms", write: "500ms", shutdown: "0" },
        routes: [...routes, { path: "GET /files", static: bigFile(t), "timeout.write": "0" },
            { path: "GET /short/files", static: bigFile(t) }],
    });
    await example(t, "pipe", gateway);
    const stream = session(t, gateway).request({ ":method": "POST", ":path": "/stream" });
    stream.on("error", () => {}); // when all of it ends
    stream.write("a");
    await once(stream, "data");
    const plain = open(t, gateway, "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    await once(plain, "data");
    const unread = open(t, gateway, "GET /files/big HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(unread, "readable"); // and reads no more
    // The listener's time-outs, meanwhile: of a body, and of a response.
    const late = open(t, gateway, "POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\na");
    let reply = "";
    late.on("data", (data) => (reply += data));
    await new Promise((resolve) => late.on("close", resolve));
    const stuck = open(t, gateway, "GET /short/files/big HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(stuck, "readable");
    every(t, 50, () => !stuck.destroyed && stuck.write("x")); // a socket that is not read hears of a reset so
    await new Promise((resolve) => stuck.on("close", resolve));
    stream.write("b");
    assert.equal(String((await once(stream, "data"))[0]), "b");
    plain.write("1\r\nb\r\n");
    assert.match(String((await once(plain, "data"))[0]), /b/);
    const before = unread.bytesRead;
    unread.on("data", () => unread.bytesRead > before + 16 * MiB && unread.destroy());
    await new Promise((resolve) => unread.on("close", resolve));
    assert.ok(unread.bytesRead > before + 16 * MiB, "it goes on");
});

// Whatever is served there: a site, a redirect to HTTPS, a CA's challenge.
test("a head that trickles has a time in all, on every listener", { timeout: 60_000 }, async (t) => {
    const redirect = await freePort();
    const gateway = await Gateway.start(t, {
        timeout: { read_header: "500ms", shutdown: "0" },
        http: { https: "local", redirect_http: `127.0.0.1:${redirect}` },
    });
    await gateway.program.waitFor("Redirecting HTTP requests on");
    const trickled = (socket, path) => {
        let reply = "";
        socket.on("error", () => {});
        socket.on("data", (data) => (reply += data));
        socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nx: `);
        every(t, 20, () => !socket.destroyed && socket.write("x"));
        t.after(() => socket.destroy());
        return new Promise((resolve) => socket.on("close", () => resolve(reply)));
    };
    const secure = tls.connect({
        port: gateway.httpPort, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false,
    });
    await once(secure, "secureConnect");
    const replies = await Promise.all([
        trickled(connect(redirect, "127.0.0.1"), "/"),
        trickled(connect(redirect, "127.0.0.1"), "/.well-known/acme-challenge/token"),
        trickled(secure, "/"),
    ]);
    replies.forEach((reply) => assert.match(reply, /^HTTP\/1\.1 408 /));
});
