// The old peer as a service behind our gateway.
import assert from "node:assert/strict";
import { createHash, randomFillSync } from "node:crypto";
import http from "node:http";
import { test } from "node:test";
import { Gateway, OldPeer } from "./lib/mesh.js";
import { request } from "./lib/http.js";

const MiB = 1024 * 1024;
const services = ["hello", "headers", "teapot", "throws", "echo", "silent", "half"];
const routes = [
    { path: "GET /hello", service: "hello" },
    { path: "GET /headers/:id", service: "headers" },
    { path: "GET /teapot", service: "teapot" },
    { path: "GET /throws", service: "throws" },
    { path: "POST /echo", service: "echo" },
    { path: "GET /silent", service: "silent", timeout: "300ms" },
    { path: "GET /half", service: "half" },
];

async function start(t) {
    const gateway = await Gateway.start(t, { routes, max: { body_size: 200 * MiB } });
    const peer = await OldPeer.start(t, { addrs: [gateway.address], services });
    await gateway.joined("hello");
    return { gateway, peer };
}

test("says hello", async (t) => {
    const { gateway } = await start(t);
    const response = await request(gateway.url("/hello"));
    assert.equal(response.status, 200);
    assert.equal(response.body, "Hello world!");
});

test("sees headers, route parameters and query parameters", async (t) => {
    const { gateway } = await start(t);
    const response = await request(gateway.url("/headers/a%20b?Q=1&r=2"), {
        headers: { "X-Thing": "thing", "Params.id": "forged", "query.q": "forged" },
    });
    assert.equal(response.status, 200);
    assert.equal(response.headers["content-type"], "application/json");
    const seen = JSON.parse(response.body);
    assert.equal(seen["x-thing"], "thing");
    assert.equal(seen["params.id"], "a b");
    assert.equal(seen["query.q"], "1");
    assert.equal(seen["query.r"], "2");
    assert.equal(seen[":method"], "GET");
    assert.equal(seen[":path"], "/headers/a%20b?Q=1&r=2");
});

test("chooses its status and headers", async (t) => {
    const { gateway } = await start(t);
    const response = await request(gateway.url("/teapot"));
    assert.equal(response.status, 418);
    assert.equal(response.headers["x-tea"], "green");
    assert.equal(response.headers[":status"], undefined);
    assert.equal(response.body, "short and stout");
});

test("throws, and the error arrives as JSON", async (t) => {
    const { gateway } = await start(t);
    const response = await request(gateway.url("/throws"));
    assert.equal(response.headers["content-type"], "application/json");
    assert.deepEqual(JSON.parse(response.body), { error: "This shouldn't happen!" });
});

test("echoes 100 MB byte for byte while they are sent", { timeout: 240_000 }, async (t) => {
    const { gateway } = await start(t);
    const sent = createHash("sha256");
    const received = createHash("sha256");
    const block = Buffer.alloc(MiB);
    let length = 0;

    const outgoing = http.request(gateway.url("/echo"), { method: "POST" });
    const done = new Promise((resolve, reject) => {
        outgoing.on("error", reject);
        outgoing.on("response", (response) => {
            response.on("error", reject);
            response.on("data", (chunk) => {
                received.update(chunk);
                length += chunk.length;
            });
            response.on("end", resolve);
        });
    });
    for (let i = 0; i < 100; i++) {
        randomFillSync(block);
        sent.update(block);
        await new Promise((resolve) => outgoing.write(Buffer.from(block), resolve));
    }
    outgoing.end();
    await done;
    assert.equal(length, 100 * MiB);
    assert.equal(received.digest("hex"), sent.digest("hex"));
});

test("stalls, and 504 says so, while others are served", async (t) => {
    const { gateway } = await start(t);
    const stalled = request(gateway.url("/silent"));
    assert.equal((await request(gateway.url("/hello"))).status, 200);
    assert.equal((await stalled).status, 504);
    assert.equal((await request(gateway.url("/hello"))).status, 200);
});

test("dies in mid-body, and half a response is not taken for a whole one", async (t) => {
    const { gateway, peer } = await start(t);
    peer.killed = true; // it does that itself
    await assert.rejects(request(gateway.url("/half")));
    assert.equal((await request(gateway.url("/hello"))).status, 503);
});
