// Much of everything over HTTP/2, measured on the release build: memory stays small, and no
// request waits for others.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { assertMemory, blocks, GiB } from "./lib/big.js";
import { example, Gateway } from "./lib/mesh.js";
import { request2, session } from "./lib/http2.js";
import { run } from "./lib/program.js";

const MUCH = GiB;

async function start(t, settings = {}) {
    const gateway = await Gateway.start(t, {
        release: true,
        routes: [
            { path: "GET /hello", service: "hello_world" },
            { path: "POST /pipe", service: "pipe" },
        ],
        ...settings,
    });
    const hello = await example(t, "hello_world", gateway, { release: true });
    const pipe = await example(t, "pipe", gateway, { release: true });
    return { gateway, hello, pipe };
}

test("1 GiB through POST /pipe, both ways at once", { timeout: 300_000 }, async (t) => {
    const { gateway, pipe } = await start(t);
    const sent = createHash("sha256");
    const received = createHash("sha256");
    const stream = session(t, gateway).request({ ":method": "POST", ":path": "/pipe" });
    const done = once(stream, "end");
    let length = 0;
    stream.on("data", (chunk) => {
        received.update(chunk);
        length += chunk.length;
    });
    for (const block of blocks(MUCH)) {
        sent.update(block);
        if (!stream.write(block)) {
            await Promise.race([once(stream, "drain"), done]);
        }
    }
    const early = length; // while we were still sending
    stream.end();
    await done;
    assert.equal(length, MUCH);
    assert.equal(received.digest("hex"), sent.digest("hex"));
    assert.ok(early > MUCH / 2, `only ${early} bytes came back while sending`);
    for (const program of [gateway.program, pipe]) {
        assertMemory(t, program);
    }
});

test("a stream that is not read is held, then cut off, alone", { timeout: 120_000 }, async (t) => {
    const { gateway, pipe } = await start(t, { timeout: { write: "2s" } });
    const client = session(t, gateway);
    const stuck = client.request({ ":method": "POST", ":path": "/pipe" });
    const cut = once(stuck, "close");
    stuck.on("error", () => {});
    let taken = 0;
    const feed = () => {
        for (const block of blocks(MUCH)) {
            if (stuck.destroyed || taken >= MUCH) {
                return;
            }
            taken += block.length;
            if (!stuck.write(block)) {
                stuck.once("drain", feed);
                return;
            }
        }
    };
    feed(); // and never reads
    while (!stuck.closed) {
        const answer = await request2(client, "/hello"); // the other node's, on the same connection
        assert.equal(answer.body, "Hello world!");
    }
    await cut;
    assert.equal(stuck.rstCode, 8); // CANCEL
    assert.ok(taken < MUCH / 4, `${taken} bytes were taken from a client that does not read`);
    const behind = await request2(client, "/pipe", { method: "POST", body: "hello" });
    assert.equal(behind.body, "hello");
    for (const program of [gateway.program, pipe]) {
        assertMemory(t, program);
    }
});

test("h2load: 64 clients with 10 requests each at a time, all answered", async (t) => {
    const { gateway } = await start(t);
    const { code, output } = await run(t, "h2load",
        ["-c", "64", "-m", "10", "-n", "50000", gateway.url("/hello")]);
    assert.equal(code, 0);
    assert.match(output, /50000 succeeded, 0 failed, 0 errored, 0 timeout/);
    assert.match(output, /status codes: 50000 2xx/);
    assertMemory(t, gateway.program);
});
