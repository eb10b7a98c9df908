// HTTP/2 in clear text, with clients that know it beforehand: the answers are those of HTTP/1.1.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import http2 from "node:http2";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { example, Gateway, OldPeer, scratch } from "./lib/mesh.js";
import { RawConnection, request } from "./lib/http.js";
import { floods } from "./lib/floods.js";
import { flood, request2, session } from "./lib/http2.js";
import { run } from "./lib/program.js";
import { request as requestTls } from "./lib/tls.js";

const routes = [
    { path: "GET /hello", service: "hello_world" },
    { path: "POST /pipe", service: "pipe" },
    { path: "GET /headers", service: "headers" },
    { path: "POST /headers", service: "headers" },
    { path: "GET /teapot", service: "teapot" },
    { path: "GET /half", service: "half" },
    { path: "GET /silent", service: "silent", timeout: "200ms" },
    { path: "POST /silent", service: "silent", timeout: "20s" },
    { path: "GET /nobody", services: ["nobody", "no_one"] },
];

function site(t) {
    const folder = scratch(t);
    mkdirSync(join(folder, "public/sub"), { recursive: true });
    writeFileSync(join(folder, "secret"), "secret");
    writeFileSync(join(folder, "public/index.html"), "<!doctype html>home");
    writeFileSync(join(folder, "public/sub/data.txt"), "0123456789");
    return { path: "GET /", static: join(folder, "public") };
}

async function start(t, settings = {}) {
    const gateway = await Gateway.start(t, { routes: [...routes, site(t)], ...settings });
    await example(t, "hello_world", gateway);
    await example(t, "pipe", gateway);
    return gateway;
}

async function old(t, gateway, services) {
    const peer = await OldPeer.start(t, { addrs: [gateway.address], services });
    await gateway.joined(services.at(-1));
    return peer;
}

// What may differ: the versions have other ways to say these.
function comparable({ status, headers, body }) {
    const { date, connection, "keep-alive": _, "transfer-encoding": __, ...rest } = headers;
    assert.ok(date);
    return { status, headers: Object.fromEntries(Object.entries(rest)), body };
}

const same = {
    "hello": ["/hello"],
    "query": ["/hello?a=b&c"],
    "head": ["/hello", { method: "HEAD" }],
    "file": ["/sub/data.txt"],
    "file, head": ["/sub/data.txt", { method: "HEAD" }],
    "index": ["/"],
    "range": ["/sub/data.txt", { headers: { range: "bytes=2-4" } }],
    "range beyond": ["/sub/data.txt", { headers: { range: "bytes=10-" } }],
    "not modified": ["/sub/data.txt", { headers: { "if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT" } }],
    "condition fails": ["/sub/data.txt", { headers: { "if-match": '"other"' } }],
    "no way out": ["/sub/..%2f..%2fsecret"],
    "no listing": ["/sub/"],
    "redirect": ["/hello/"],
    "redirect to lower case": ["/HELLO"],
    "redirect of a post": ["/PIPE", { method: "POST", body: "x" }],
    "not found": ["/nowhere"],
    "not found, as json": ["/nowhere", { headers: { accept: "application/json" } }],
    "not allowed": ["/hello", { method: "POST", body: "x" }],
    "options": ["/hello", { method: "OPTIONS" }],
    "no node provides it": ["/nobody"],
    "echo": ["/pipe", { method: "POST", body: "what is said" }],
    "echo, announced": ["/pipe", { method: "POST", body: "said", headers: { "content-length": "4" } }],
    "echo of nothing": ["/pipe", { method: "POST", body: "" }],
    "body too large": ["/pipe", { method: "POST", body: "x".repeat(100001),
        headers: { "content-length": "100001" } }],
    "header too large for a record": ["/hello", { headers: { "x-big": "x".repeat(5000) } }],
    "header too large": ["/hello", { headers: { "x-big": "x".repeat(20000) } }],
    "path too long": [`/${"x".repeat(20000)}`],
    "bad path": ["/%zz"],
    "unmet expectation": ["/hello", { headers: { expect: "wonders" } }],
};

test("the same answers as over HTTP/1.1", async (t) => {
    const gateway = await start(t, { max: { header_size: 10000, body_size: 100000 } });
    for (const [name, [path, options]] of Object.entries(same)) {
        const client = session(t, gateway);
        const one = comparable(await request(gateway.url(path), options));
        const two = comparable(await request2(client, path, options));
        assert.deepEqual(two, one, name);
        client.close();
    }
});

test("the same answers over TLS, where ALPN chooses", async (t) => {
    const limits = { max: { header_size: 10000, body_size: 100000 } };
    const gateway = await start(t, { ...limits, http: { https: "local" } });
    const trusted = { ca: readFileSync(gateway.ca) };
    for (const [name, [path, options]] of Object.entries(same)) {
        const client = session(t, gateway, trusted);
        await once(client, "connect");
        assert.equal(client.alpnProtocol, "h2");
        const answer = await requestTls(gateway.url(path), { ...options, ...trusted });
        const one = comparable({ ...answer, body: answer.body.toString("latin1") });
        const two = comparable(await request2(client, path, options));
        assert.deepEqual(two, one, name);
        client.close();
    }
});

test("the same answers from a worker that does not have the mesh", async (t) => {
    const settings = { max: { header_size: 10000, body_size: 100000 }, routes: [...routes, site(t)] };
    const first = await start(t, { ...settings, workers: 1 });
    const second = await start(t, { ...settings, workers: 2 });
    await second.occupyFirstWorker();
    for (const [name, [path, options]] of Object.entries(same)) {
        const here = comparable(await request(first.url(path), options));
        const there = comparable(await request(second.url(path), options));
        assert.deepEqual(there, here, name);
        const client = session(t, second);
        assert.deepEqual(comparable(await request2(client, path, options)), here, `${name}, HTTP/2`);
        client.close();
        await once(client, "close");
    }
});

test("a service of the npm package sees the same request", async (t) => {
    const gateway = await start(t);
    await old(t, gateway, ["headers", "teapot"]);
    const headers = { cookie: "a=b", "x-twice": "1", host: `127.0.0.1:${gateway.httpPort}` };
    const path = "/headers?q=1";
    const one = JSON.parse((await request(gateway.url(path), { headers })).body);
    const client = session(t, gateway);
    const { host: _, ...rest } = headers;
    const two = JSON.parse((await request2(client, path, { headers: rest })).body);
    for (const seen of [one, two]) {
        assert.match(seen[":remote"], /^127\.0\.0\.1:\d+$/);
        delete seen[":remote"];
    }
    assert.deepEqual(two, one);
    assert.equal(two[":method"], "GET");
    assert.equal(two[":path"], path);
    const teapot = await request2(client, "/teapot");
    assert.equal(teapot.status, 418);
    assert.equal(teapot.headers["x-tea"], "green");
    assert.equal(teapot.body, "short and stout");
});

test("504, 502 and a reset, as far as it had come", async (t) => {
    const gateway = await start(t);
    const client = session(t, gateway);
    const peer = await old(t, gateway, ["silent", "half"]);
    assert.equal((await request2(client, "/silent")).status, 504);
    await assert.rejects(request2(client, "/half"), /NGHTTP2_INTERNAL_ERROR/);
    peer.killed = true; // by its own hand

    const other = await old(t, gateway, ["silent"]);
    const answer = request2(client, "/silent", { method: "POST", body: "all of it" });
    await other.waitFor("silent was asked");
    await other.kill();
    assert.equal((await answer).status, 502);
    assert.equal((await request2(client, "/hello")).body, "Hello world!");
});

test("a request that is reset is given up, and no other", async (t) => {
    const gateway = await start(t);
    await old(t, gateway, ["silent"]);
    const client = session(t, gateway);
    const given = client.request({ ":method": "POST", ":path": "/silent" });
    given.on("error", () => {});
    given.write("some of it");
    assert.equal((await request2(client, "/hello")).status, 200);
    given.close(http2.constants.NGHTTP2_CANCEL);
    await once(given, "close");
    assert.equal((await request2(client, "/hello")).body, "Hello world!");
});

test("100 (Continue), and trailers that are read", async (t) => {
    const gateway = await start(t);
    const client = session(t, gateway);
    const answer = await request2(client, "/pipe",
        { method: "POST", body: "hello", headers: { expect: "100-continue" } });
    assert.equal(answer.continued, true);
    assert.equal(answer.body, "hello");
    const trailers = { "x-sum": "1" };
    const echo = await request2(client, "/pipe", { method: "POST", body: "hello", trailers });
    assert.equal(echo.body, "hello");
});

test("connection-specific fields and CONNECT are refused", async (t) => {
    const gateway = await start(t);
    const client = session(t, gateway);
    const connect = client.request({ ":method": "CONNECT", ":authority": "example.org:443" });
    const [headers] = await once(connect, "response");
    assert.equal(headers[":status"], 501);
    connect.destroy();
    assert.equal((await request2(client, "/hello")).status, 200);
});

test("a body over the limit, not announced", async (t) => {
    const gateway = await start(t, { max: { body_size: 1000 } });
    const client = session(t, gateway);
    // Whether the service had begun to answer decides between the two ways to refuse.
    const answer = await request2(client, "/pipe", { method: "POST", body: "x".repeat(1001) })
        .catch((error) => ({ error }));
    assert.ok(answer.error || answer.status === 413, JSON.stringify(answer));
    assert.equal((await request2(client, "/hello")).status, 200);
});

test("curl uploads and downloads a file unchanged", async (t) => {
    const gateway = await start(t);
    const folder = scratch(t);
    writeFileSync(join(folder, "up"), randomBytes(5_000_000));
    for (const options of [["--data-binary", "@up"], ["-X", "POST", "-T", "up"]]) {
        const { code, output } = await run(t, "curl", ["-sS", "--http2-prior-knowledge", ...options,
            "-o", "down", "-w", "%{http_version}\n", gateway.url("/pipe")], { cwd: folder });
        assert.deepEqual({ code, output }, { code: 0, output: "2" });
        const [up, down] = ["up", "down"].map((name) =>
            createHash("sha256").update(readFileSync(join(folder, name))).digest("hex"));
        assert.equal(down, up);
    }
});

test("nghttp, with padding, continuation, trailers and priorities", async (t) => {
    const gateway = await start(t);
    const folder = scratch(t);
    writeFileSync(join(folder, "up"), "what is said");
    const echo = await run(t, "nghttp", ["--padding=100", "--trailer=x-sum: 1", "--data=up", "-w",
        "16", gateway.url("/pipe")], { cwd: folder });
    assert.deepEqual(echo, { code: 0, output: "what is said" });
    // Its own header then has 16 KiB more.
    const file = await run(t, "nghttp", ["--continuation", gateway.url("/sub/data.txt")]);
    assert.deepEqual(file, { code: 0, output: "0123456789" });
});

test("a thousand requests at once on one connection", async (t) => {
    const gateway = await start(t);
    const client = session(t, gateway);
    await once(client, "remoteSettings");
    const answers = await Promise.all(
        Array.from({ length: 1000 }, () => request2(client, "/hello")));
    for (const answer of answers) {
        assert.equal(answer.status, 200);
        assert.equal(answer.body, "Hello world!");
    }
});

test("an idle connection is told, and closed in its time", async (t) => {
    const gateway = await start(t, { timeout: { idle: "200ms" } });
    const client = session(t, gateway);
    const gone = once(client, "goaway");
    assert.equal((await request2(client, "/hello")).status, 200);
    assert.equal((await gone)[0], http2.constants.NGHTTP2_NO_ERROR);
    await once(client, "close");
});

test("a preface that never ends, within its time", async (t) => {
    const gateway = await start(t, { timeout: { read_header: "300ms" } });
    const connection = new RawConnection(t, gateway.httpPort);
    connection.send("PRI * HTTP/2.0\r\n\r\n");
    assert.equal(await connection.all(), "");
});

test("shutdown lets what runs finish, and tells the client first", async (t) => {
    const gateway = await start(t);
    const client = session(t, gateway);
    const running = client.request({ ":method": "POST", ":path": "/pipe" });
    let body = "";
    running.setEncoding("latin1").on("data", (text) => (body += text));
    running.write("begun, ");
    await once(running, "data");
    const idle = session(t, gateway);
    assert.equal((await request2(idle, "/hello")).status, 200);
    const told = Promise.all([once(client, "goaway"), once(idle, "goaway")]);
    gateway.program.signal("SIGTERM");
    await told;
    running.end("and done");
    await once(running, "end");
    assert.equal(body, "begun, and done");
    await gateway.program.exit();
});

// RFC 9113, 7: what the client is told when there is too much of something.
const CALM = Buffer.from([0, 0, 0, 0x0b]);

for (const [name, attack] of Object.entries(floods)) {
    test(`a flood of ${name} costs its own connection, and no other`, async (t) => {
        const gateway = await start(t);
        const other = session(t, gateway);
        const before = await request2(other, "/hello");
        const received = await flood(t, gateway.httpPort, attack);
        assert.ok(received.includes(CALM), "GOAWAY says why");
        await gateway.program.waitFor(/Closing the HTTP connection from 127\.0\.0\.1:\d+: /);
        const after = await request2(other, "/hello");
        assert.equal(after.body, before.body);
    });
}
