// Applications of real frameworks as services: fromHttp, fromFetch.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { createRequire } from "node:module";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { Gateway } from "../../../tests/e2e/lib/mesh.js";
import { Node, fromFetch, fromHttp } from "../lib/index.mjs";

const require = createRequire(import.meta.url);

// The application as a service behind a gateway, which passes it all that is below `/`.
async function serve(t, handler) {
    const methods = ["GET", "POST", "HEAD", "PUT", "DELETE"];
    const routes = methods.flatMap((method) => ["/", "/*rest"].map((path) => ({ path: `${method} ${path}`, service: "app" })));
    const gateway = await Gateway.start(t, { routes });
    const node = await Node.start({ addrs: [gateway.address], services: { app: handler } });
    t.after(() => node.shutdown());
    await gateway.joined("app");
    return (path, options) => fetch(gateway.url(path), { redirect: "manual", ...options });
}

function expressApp() {
    const express = require("express");
    const multer = require("multer");
    const app = express();
    app.use(express.json());
    app.get("/users/:id", (req, res) => res.json({ id: req.params.id, q: req.query.q, url: req.originalUrl }));
    app.post("/json", (req, res) => res.status(201).json(req.body));
    app.get("/cookies", (req, res) => {
        res.cookie("a", "1").cookie("b", "2").redirect("/users/1");
    });
    app.get("/throws", () => {
        throw Object.assign(new Error("not this way"), { status: 418 });
    });
    app.get("/rejects", async () => {
        throw new Error("later");
    });
    app.get("/pieces", async (req, res) => {
        res.type("text");
        for (const piece of ["one ", "two ", "three"]) {
            if (!res.write(piece)) {
                await once(res, "drain");
            }
        }
        res.end();
    });
    app.post("/upload", multer().array("files"), (req, res) => {
        res.json({ name: req.body.name, files: req.files.map((file) => [file.originalname, file.size]) });
    });
    app.use((error, req, res, next) => {
        if (res.headersSent) {
            next(error);
            return;
        }
        res.status(error.status ?? 500).json({ error: error.message });
    });
    return app;
}

test("Express: routes, bodies, cookies, errors, pieces and uploads", async (t) => {
    const ask = await serve(t, fromHttp(expressApp()));

    const user = await ask("/users/7?q=a%20b");
    assert.deepEqual(await user.json(), { id: "7", q: "a b", url: "/users/7?q=a%20b" });
    assert.equal(user.headers.get("x-powered-by"), "Express");

    const body = JSON.stringify({ some: ["json"] });
    const posted = await ask("/json", { method: "POST", body, headers: { "content-type": "application/json" } });
    assert.deepEqual([posted.status, await posted.text()], [201, body]);

    const cookies = await ask("/cookies");
    assert.deepEqual([cookies.status, cookies.headers.get("location"), cookies.headers.getSetCookie()],
        [302, "/users/1", ["a=1; Path=/", "b=2; Path=/"]]);

    const thrown = await ask("/throws");
    assert.deepEqual([thrown.status, await thrown.json()], [418, { error: "not this way" }]);
    const rejected = await ask("/rejects");
    assert.deepEqual([rejected.status, await rejected.json()], [500, { error: "later" }]);
    assert.equal((await ask("/nowhere")).status, 404);

    assert.equal(await (await ask("/pieces")).text(), "one two three");
    const head = await ask("/users/7", { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);

    const form = new FormData();
    form.set("name", "two files");
    form.append("files", new Blob(["x".repeat(100_000)]), "a.txt");
    form.append("files", new Blob(["y"]), "b.txt");
    const uploaded = await ask("/upload", { method: "POST", body: form });
    assert.deepEqual(await uploaded.json(), { name: "two files", files: [["a.txt", 100_000], ["b.txt", 1]] });
});

test("Fastify: routes, schemas, hooks and errors", async (t) => {
    const app = require("fastify")();
    app.addHook("onSend", async (req, reply) => void reply.header("x-hook", "on"));
    app.get("/users/:id", { schema: { params: { type: "object", properties: { id: { type: "integer" } } } } },
        async (req) => ({ id: req.params.id }));
    app.post("/echo", async (req) => req.body);
    app.get("/throws", async () => {
        throw new Error("not this way");
    });
    await app.ready();
    const ask = await serve(t, fromHttp(app));
    const user = await ask("/users/7");
    assert.deepEqual([user.headers.get("x-hook"), await user.json()], ["on", { id: 7 }]);
    assert.equal((await ask("/users/x")).status, 400);
    const headers = { "content-type": "application/json" };
    assert.deepEqual(await (await ask("/echo", { method: "POST", body: '{"a":1}', headers })).json(), { a: 1 });
    const thrown = await ask("/throws");
    assert.deepEqual([thrown.status, (await thrown.json()).message], [500, "not this way"]);
});

test("Koa: middleware, streams and errors", async (t) => {
    const Koa = require("koa");
    const app = new Koa();
    app.silent = true;
    app.use(async (ctx, next) => {
        await next();
        ctx.set("x-time", "1");
    });
    app.use((ctx) => {
        if (ctx.path === "/throws") {
            ctx.throw(403, "not here");
        }
        ctx.body = ctx.method === "POST" ? ctx.req : { path: ctx.path };
    });
    const ask = await serve(t, fromHttp(app));
    const answer = await ask("/a");
    assert.deepEqual([answer.headers.get("x-time"), await answer.json()], ["1", { path: "/a" }]);
    assert.equal(await (await ask("/", { method: "POST", body: "there and back" })).text(), "there and back");
    const thrown = await ask("/throws");
    assert.deepEqual([thrown.status, await thrown.text()], [403, "not here"]);
});

test("Nest on Express", async (t) => {
    require("reflect-metadata");
    const { Controller, Get, Module, NotFoundException, Param } = require("@nestjs/common");
    const { NestFactory } = require("@nestjs/core");
    class Users {
        one(id) {
            if (id === "0") {
                throw new NotFoundException("nobody");
            }
            return { id };
        }
    }
    Reflect.decorate([Get("users/:id")], Users.prototype, "one", Object.getOwnPropertyDescriptor(Users.prototype, "one"));
    Param("id")(Users.prototype, "one", 0);
    Controller()(Users);
    class App {}
    Module({ controllers: [Users] })(App);
    const app = await NestFactory.create(App, { logger: false });
    await app.init();
    const ask = await serve(t, fromHttp(app));
    assert.deepEqual(await (await ask("/users/7")).json(), { id: "7" });
    const missing = await ask("/users/0");
    assert.deepEqual([missing.status, (await missing.json()).message], [404, "nobody"]);
});

test("Hono, by fetch", async (t) => {
    const { Hono } = require("hono");
    const { setCookie, getCookie } = require("hono/cookie");
    const app = new Hono();
    app.get("/users/:id", (c) => {
        setCookie(c, "a", "1");
        setCookie(c, "b", "2");
        return c.json({ id: c.req.param("id"), q: c.req.query("q"), cookie: getCookie(c, "x") });
    });
    app.post("/length", async (c) => c.text(String((await c.req.arrayBuffer()).byteLength)));
    app.get("/throws", () => {
        throw new Error("not this way");
    });
    app.onError((error, c) => c.json({ error: error.message }, 500));
    const ask = await serve(t, fromFetch(app));
    const user = await ask("/users/7?q=1", { headers: { cookie: "x=y" } });
    assert.deepEqual(user.headers.getSetCookie(), ["a=1; Path=/", "b=2; Path=/"]);
    assert.deepEqual(await user.json(), { id: "7", q: "1", cookie: "y" });
    assert.equal(await (await ask("/length", { method: "POST", body: new Uint8Array(300_000) })).text(), "300000");
    const thrown = await ask("/throws");
    assert.deepEqual([thrown.status, await thrown.json()], [500, { error: "not this way" }]);
    assert.equal((await ask("/nowhere")).status, 404);
});

test("a server of node:http streams both ways, and adds trailers", async (t) => {
    const server = http.createServer(async (req, res) => {
        res.setHeader("trailer", "x-length");
        let length = 0;
        req.on("data", (chunk) => (length += chunk.length));
        await pipeline(req, res, { end: false });
        res.addTrailers({ "x-length": length });
        res.end();
    });
    const ask = await serve(t, fromHttp(server));
    const body = new Uint8Array(3_000_000).fill(97);
    const answer = await ask("/", { method: "POST", body });
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), body);
});

test("a client that goes away closes request and response", async (t) => {
    const seen = [];
    let resolve;
    const isClosed = new Promise((done) => (resolve = done));
    const ask = await serve(t, fromHttp((req, res) => {
        // The client's end alone may be that of its request: that it is gone shows when it is written to.
        const timer = setInterval(() => res.write("."), 10);
        res.on("close", () => {
            clearInterval(timer);
            seen.push(["res close", res.writableEnded, req.socket.destroyed]);
            resolve();
        });
        res.writeHead(200, { "content-type": "text/plain" });
        res.write("first");
    }));
    const controller = new AbortController();
    const answer = await ask("/", { signal: controller.signal });
    const reader = answer.body.getReader();
    assert.match(Buffer.from((await reader.read()).value).toString(), /^first/);
    controller.abort();
    await isClosed;
    assert.deepEqual(seen, [["res close", false, true]]);
});

test("what is written where nothing can be any more is an error, as with node:http", async (t) => {
    const codes = [];
    const ask = await serve(t, fromHttp((req, res) => {
        res.on("error", (error) => codes.push(error.code));
        res.end("all");
        assert.equal(res.headersSent, true);
        assert.throws(() => res.setHeader("a", "b"), { code: "ERR_HTTP_HEADERS_SENT" });
        assert.throws(() => res.writeHead(200), { code: "ERR_HTTP_HEADERS_SENT" });
        res.write("more", (error) => codes.push(error.code));
        assert.throws(() => res.write(17), { code: "ERR_INVALID_ARG_TYPE" });
    }));
    assert.equal(await (await ask("/")).text(), "all");
    assert.deepEqual(codes, ["ERR_STREAM_WRITE_AFTER_END", "ERR_STREAM_WRITE_AFTER_END"]);
});

test("what is no application is refused", () => {
    assert.throws(() => fromHttp({}), /fromHttp: a listener of http\.createServer/);
    assert.throws(() => fromFetch({}), /fromFetch: a function, or an object with a method fetch/);
});
