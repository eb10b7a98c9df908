// HTTP/1.1 as clients speak it: connections, bodies, static files.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { example, Gateway, scratch } from "./lib/mesh.js";
import { raw, RawConnection, request } from "./lib/http.js";
import { run } from "./lib/program.js";

async function start(t, settings = {}) {
    const routes = [
        { path: "GET /hello", service: "hello_world" },
        { path: "POST /pipe", service: "pipe" },
        ...(settings.routes ?? []),
    ];
    const gateway = await Gateway.start(t, { max: { body_size: 1 << 24 }, ...settings, routes });
    await example(t, "hello_world", gateway);
    await example(t, "pipe", gateway);
    return gateway;
}

test("many requests on one connection", async (t) => {
    const gateway = await start(t);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const ports = new Set();
    agent.on("free", (socket) => ports.add(socket.localPort));
    for (let i = 0; i < 10; i++) {
        assert.equal((await request(gateway.url("/hello"), { agent })).body, "Hello world!");
    }
    assert.equal(ports.size, 1);
});

test("pipelined requests are answered in their order", async (t) => {
    const gateway = await start(t);
    const reply = await raw(t, gateway.httpPort,
        "POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst" +
        "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" +
        "POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthird");
    const statuses = [...reply.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]);
    assert.deepEqual(statuses, ["200", "404", "200"]);
    assert.match(reply, /first[^]*404[^]*third/);
});

test("HTTP/1.0 gets an answer that ends with the connection", async (t) => {
    const gateway = await start(t);
    const reply = await raw(t, gateway.httpPort, "GET /hello HTTP/1.0\r\n\r\n");
    assert.match(reply, /^HTTP\/1\.[01] 200 /);
    assert.doesNotMatch(reply, /transfer-encoding/i);
    assert.match(reply, /\r\n\r\nHello world!$/);
});

test("HEAD has the headers of GET and no body", async (t) => {
    const gateway = await start(t);
    const reply = await raw(t, gateway.httpPort,
        "HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert.match(reply, /^HTTP\/1\.1 200 [^]*content-type: text\/plain; charset=utf-8\r\n/i);
    assert.match(reply, /\r\n\r\n$/);
});

test("chunked both ways, with trailers and extensions", async (t) => {
    const gateway = await start(t);
    const reply = await raw(t, gateway.httpPort,
        "POST /pipe HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
        '5;name="value"\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: yes\r\n\r\n');
    assert.match(reply, /^HTTP\/1\.1 200 [^]*transfer-encoding: chunked\r\n/i);
    const body = reply.slice(reply.indexOf("\r\n\r\n") + 4).replace(/[0-9a-f]+\r\n([^\r]*)\r\n/g, "$1");
    assert.equal(body, "hello world");
});

test("100 Continue comes before the body is sent", async (t) => {
    const gateway = await start(t);
    const connection = new RawConnection(t, gateway.httpPort);
    connection.send("POST /pipe HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" +
        "Content-Length: 5\r\nConnection: close\r\n\r\n");
    await connection.receive(/^HTTP\/1\.1 100 [^\r]*\r\n\r\n/);
    connection.send("hello");
    assert.match(await connection.all(), /\r\n\r\nHTTP\/1\.1 200 [^]*hello/);
});

test("curl uploads and downloads a file unchanged", async (t) => {
    const gateway = await start(t);
    const folder = scratch(t);
    writeFileSync(join(folder, "up"), randomBytes(5_000_000));
    for (const options of [["--data-binary", "@up"], ["-X", "POST", "-T", "up"],
        ["-X", "POST", "-H", "Transfer-Encoding: chunked", "-T", "up"]]) {
        const { code, output } = await run(t, "curl",
            ["-sS", ...options, "-o", "down", gateway.url("/pipe")], { cwd: folder });
        assert.deepEqual({ code, output }, { code: 0, output: "" });
        const [up, down] = ["up", "down"].map((name) =>
            createHash("sha256").update(readFileSync(join(folder, name))).digest("hex"));
        assert.equal(down, up);
    }
});

// A folder to serve, beside a file that must not be served.
function site(t) {
    const folder = scratch(t);
    mkdirSync(join(folder, "public/sub"), { recursive: true });
    writeFileSync(join(folder, "secret"), "secret");
    writeFileSync(join(folder, "public/index.html"), "<!doctype html>home");
    writeFileSync(join(folder, "public/sub/data.txt"), "0123456789");
    symlinkSync("../secret", join(folder, "public/link"));
    return { path: "GET /", static: join(folder, "public") };
}

test("static files: types, validators, ranges", async (t) => {
    const gateway = await start(t, { routes: [site(t)] });
    const home = await request(gateway.url("/"));
    assert.equal(home.body, "<!doctype html>home");
    assert.match(home.headers["content-type"], /^text\/html/);

    const data = await request(gateway.url("/sub/data.txt"));
    assert.equal(data.body, "0123456789");
    assert.match(data.headers["content-type"], /^text\/plain/);
    const { etag } = data.headers;
    const modified = data.headers["last-modified"];
    const cases = [
        [{ "if-none-match": etag }, 304, ""],
        [{ "if-modified-since": modified }, 304, ""],
        [{ "if-match": '"other"' }, 412, null],
        [{ range: "bytes=2-4" }, 206, "234"],
        [{ range: "bytes=-3" }, 206, "789"],
        [{ range: "bytes=7-" }, 206, "789"],
        [{ range: "bytes=10-" }, 416, null],
        [{ range: "bytes=2-4", "if-range": etag }, 206, "234"],
        [{ range: "bytes=2-4", "if-range": '"other"' }, 200, "0123456789"],
        [{ range: "lines=1-2" }, 200, "0123456789"],
    ];
    for (const [headers, status, body] of cases) {
        const response = await request(gateway.url("/sub/data.txt"), { headers });
        assert.equal(response.status, status, JSON.stringify(headers));
        if (body !== null) {
            assert.equal(response.body, body, JSON.stringify(headers));
        }
    }
    const head = await request(gateway.url("/sub/data.txt"), { method: "HEAD" });
    assert.equal(head.headers["content-length"], "10");
    assert.equal(head.headers.etag, etag);
});

test("curl resumes and takes ranges of a static file", async (t) => {
    const gateway = await start(t, { routes: [site(t)] });
    const { output } = await run(t, "curl", ["-sS", "-r", "3-5", gateway.url("/sub/data.txt")]);
    assert.equal(output, "345");
});

test("no way out of the folder, no listing of it", async (t) => {
    const gateway = await start(t, { routes: [site(t)] });
    const ways = ["/../secret", "/%2e%2e/secret", "/sub/../../secret", "/sub/..%2f..%2fsecret", "/link",
        "/%2e%2e%2fsecret", "/sub%00", "//secret", "/sub/"];
    for (const way of ways) {
        const reply = await raw(t, gateway.httpPort,
            `GET ${way} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        assert.doesNotMatch(reply, /\nsecret|data\.txt/, way);
        assert.match(reply, /^HTTP\/1\.1 (30[1278]|40[034]) /, way);
    }
});

test("redirects to the configured path", async (t) => {
    const gateway = await start(t);
    for (const path of ["/hello/", "/HELLO", "//hello"]) {
        const response = await request(gateway.url(path));
        assert.ok([301, 308].includes(response.status), `${path}: ${response.status}`);
        assert.match(response.headers.location, /^(http:\/\/[^/]+)?\/hello$/, path);
    }
});

test("an idle connection is closed in its time", async (t) => {
    const gateway = await start(t, { timeout: { idle: "200ms" } });
    const connection = new RawConnection(t, gateway.httpPort);
    connection.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    await connection.receive(/Hello world!/);
    await connection.end;
});
