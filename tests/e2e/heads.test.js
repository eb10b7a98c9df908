// Headers that do not fit a record between two nodes: they pass to services that take them, and the others
// are as they were.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, OldPeer, Peer } from "./lib/mesh.js";
import { request } from "./lib/http.js";
import { request2, session } from "./lib/http2.js";

const routes = [
    { path: "GET /mirror", service: "mirror" },
    { path: "GET /headers", service: "headers" },
];

// `n` fields of 10,000 bytes each.
const fields = (n) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [`x-${i}`, String(i % 10).repeat(10_000)]));

async function start(t, settings = {}) {
    const gateway = await Gateway.start(t, { routes, ...settings });
    await Peer.start(t, ["-S", "mirror", gateway.address]);
    await gateway.joined("mirror");
    return gateway;
}

function assertMirrored(answer, sent) {
    assert.equal(answer.status, 200, answer.body);
    for (const [name, value] of Object.entries(sent)) assert.ok(answer.headers[name] === value, name);
    const least = Object.entries(sent).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    assert.ok(Number(answer.body) >= least, answer.body);
}

// Node.js takes 16 KiB of header unless it is told otherwise.
const large = { maxHeaderSize: 1 << 20 };
const large2 = { maxSendHeaderBlockLength: 1 << 20, settings: { maxHeaderListSize: 1 << 20 } };

for (const workers of [1, 2]) {
    test(`200 kB of headers there and back, ${workers === 1 ? "here" : "from another worker"}`, async (t) => {
        const gateway = await start(t, { workers });
        if (workers > 1) await gateway.occupyFirstWorker();
        for (const n of [1, 2, 10, 20]) {
            const headers = fields(n);
            assertMirrored(await request(gateway.url("/mirror"), { headers, ...large }), headers);
            const client = session(t, gateway, large2);
            assertMirrored(await request2(client, "/mirror", { headers }), headers);
            client.close();
        }
    });
}

// nghttp2, which Node.js and the gateway have, takes no longer fields over HTTP/2.
test("one value of 100 kB, of 64 KiB over HTTP/2", async (t) => {
    const gateway = await start(t);
    const headers = { "x-token": "x".repeat(100_000) };
    assertMirrored(await request(gateway.url("/mirror"), { headers, ...large }), headers);
    const client = session(t, gateway, large2);
    headers["x-token"] = "x".repeat(65_536);
    assertMirrored(await request2(client, "/mirror", { headers }), headers);
});

test("names of more than 255 bytes", async (t) => {
    const gateway = await start(t);
    const { status, body } = await request(gateway.url(`/mirror?${"n".repeat(250)}=1`));
    assert.equal(status, 200);
    assert.ok(Number(body) > 500); // the query is in `:path`, too
    const headers = { [`x-${"n".repeat(1000)}`]: "1" };
    assertMirrored(await request(gateway.url("/mirror"), { headers, ...large }), headers);
});

test("max.header_size is what bounds a client", async (t) => {
    const gateway = await start(t, { max: { header_size: 150_000 } });
    assertMirrored(await request(gateway.url("/mirror"), { headers: fields(14), ...large }), fields(14));
    const refused = await request(gateway.url("/mirror"), { headers: fields(15), ...large });
    assert.equal(refused.status, 431);
});

test("a service of the npm package takes large heads, too", async (t) => {
    const gateway = await start(t);
    await OldPeer.start(t, { addrs: [gateway.address], services: ["headers"] });
    await gateway.joined("headers");
    const small = await request(gateway.url("/headers"), { headers: { "x-0": "y".repeat(3000) } });
    assert.equal(JSON.parse(small.body)["x-0"].length, 3000);
    const headers = fields(1);
    const larger = await request(gateway.url("/headers"), { headers });
    assert.equal(larger.status, 200);
    for (const [name, value] of Object.entries(headers)) {
        assert.equal(JSON.parse(larger.body)[name], value);
    }
    const again = await request(gateway.url("/headers"), { headers: { "x-0": "y".repeat(3000) } });
    assert.equal(again.status, 200);
});
