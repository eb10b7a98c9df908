// Meshes of our nodes and of old ones that have keys, joined in every order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, OldPeer, Peer, example, freePort, makeKey, scratch } from "./lib/mesh.js";
import { request } from "./lib/http.js";

const routes = [
    { path: "GET /hello", service: "hello" },
    { path: "GET /c", service: "hello_world" },
    { path: "GET /headers", service: "headers" },
    { path: "GET /accents", service: "accents" },
];

async function keyed(t, gateway, services) {
    const publicAddr = `127.0.0.1:${await freePort()}`;
    return OldPeer.start(t, { addrs: [gateway.address], services, publicAddr });
}

// Ours, and three of npm's that can be dialed: all start, and requests are answered.
for (const order of [0, 1, 2, 3]) {
    test(`npm nodes with keys start, ours is number ${order}`, { timeout: 60_000 }, async (t) => {
        const gateway = await Gateway.start(t, { routes });
        const peers = [];
        for (let i = 0; i < 4; i++) {
            if (i === order) {
                await example(t, "hello_world", gateway);
            } else {
                peers.push(await keyed(t, gateway, i % 2 ? ["hello"] : ["hello", "headers"]));
            }
        }
        const paths = Array.from({ length: 60 }, (_, i) => ["/hello", "/c", "/headers"][i % 3]);
        const answers = await Promise.all(paths.map((path) => request(gateway.url(path))));
        assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
        assert.equal(peers.length, 3);
    });
}

test("a request is answered, however soon it comes after its service", async (t) => {
    const gateway = await Gateway.start(t, { routes });
    let isOver = false;
    const statuses = new Set();
    const load = Promise.all(Array.from({ length: 8 }, async () => {
        while (!isOver) {
            statuses.add((await request(gateway.url("/hello"))).status);
        }
    }));
    const peer = await OldPeer.start(t, { addrs: [gateway.address], services: ["hello"] });
    await gateway.joined("hello");
    statuses.clear();
    await request(gateway.url("/hello"));
    isOver = true;
    await load;
    assert.deepEqual([...statuses].filter((status) => status !== 503), [200]);
    assert.ok(peer);
});

test("npm services get heads that no Go node takes", async (t) => {
    const gateway = await Gateway.start(t, { routes, max: { header_size: 200_000 } });
    await OldPeer.start(t, { addrs: [gateway.address], services: ["headers"] });
    await gateway.joined("headers");
    for (const size of [3_000, 10_000, 17_000, 60_000]) {
        const cookie = "c".repeat(size);
        const response = await request(gateway.url("/headers"), { headers: { cookie } });
        assert.equal(response.status, 200);
        assert.equal(JSON.parse(response.body).cookie, cookie);
    }
});

// The package writes UTF-8, and counts UTF-16 units. A response that could not be read ended the connection, with all
// requests on it.
test("npm services answer with headers that are not ASCII", async (t) => {
    const gateway = await Gateway.start(t, { routes });
    await OldPeer.start(t, { addrs: [gateway.address], services: ["accents", "hello"] });
    await gateway.joined("accents");
    const paths = Array.from({ length: 40 }, (_, i) => ["/accents", "/hello"][i % 2]);
    const answers = await Promise.all(paths.map((path) => request(gateway.url(path))));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal(answers[0].body, "small");
    assert.equal(Buffer.from(answers[0].headers["x-size"], "latin1").toString(), "5 € 😀");
    assert.doesNotMatch(gateway.program.output, /disconnected/);
});

test("npm nodes ask with headers that are not ASCII", async (t) => {
    const address = `127.0.0.1:${await freePort()}`;
    const { path } = await makeKey(t, scratch(t), "key");
    const mirror = await Peer.start(t, ["-k", path, "-b", address, "-S", "mirror"]);
    const peer = await OldPeer.start(t, { addrs: [address] });
    const answer = await peer.push(["mirror"], { "x-größe": "5 € 😀", "x-last": "ä" });
    assert.equal(answer.headers["x-größe"], "5 € 😀");
    assert.equal(answer.headers["x-last"], "ä");
    assert.doesNotMatch(mirror.output, /disconnected/);
});
