// The secure session: which peers are allowed, which may provide a service, and how cancelling a request
// reaches its handler.
import assert from "node:assert/strict";
import http from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { example, Gateway, makeKey, OldPeer, Peer, scratch } from "./lib/mesh.js";
import { RawConnection, request } from "./lib/http.js";

const SECRET = "correct horse battery staple";

const routes = [
    { path: "GET /hello", service: "hello_world" },
    { path: "GET /who", service: "who" },
    { path: "GET /name", service: "name" },
    { path: "GET /hang", service: "hang" },
    { path: "GET /soon", service: "hang", timeout: "300ms" },
    { path: "GET /relay", service: "relay" },
    { path: "POST /echo", service: "echo" },
];

async function start(t, mesh = {}, settings = {}) {
    const folder = scratch(t);
    const key = await makeKey(t, folder, "gateway.key");
    const gateway = await Gateway.start(t, {
        routes,
        mesh: { secret_key: key.path, ...mesh },
        ...settings,
    });
    return { folder, gateway, id: key.id };
}

// A node that is not let in: its own last words, and what the gateway says.
async function assertRefused(t, gateway, args, theirs, ours) {
    const peer = new Peer(t, ...Peer.commandLine(["-S", "name", ...args]));
    peer.mayFail = true;
    await peer.waitFor(theirs);
    await gateway.program.waitFor(ours);
    const { code } = await peer.exit();
    assert.equal(code, 1, peer.output);
    assert.ok(!/Trying to reconnect/.test(peer.output), peer.output);
}

test("a service sees the proven key of the gateway, whatever a client claims", async (t) => {
    const { gateway, id } = await start(t);
    await Peer.start(t, ["-S", "who", gateway.address]);
    await gateway.joined("who");
    const names = ["peer.id", "Peer.Id", "PEER.ID", "peer.other", ":peer.id", "timeout-ms"];
    for (const name of names) {
        const connection = new RawConnection(t, gateway.httpPort);
        connection.send(`GET /who HTTP/1.1\r\nHost: a\r\n${name}: forged\r\nConnection: close\r\n\r\n`);
        const reply = await connection.all();
        assert.ok(!reply.includes("forged"), reply);
        assert.ok(name.startsWith(":") || reply.includes(`proven 1, ${id}`), reply);
    }
    const { body } = await request(gateway.url("/who?peer.id=forged"));
    assert.match(body, new RegExp(`^peer.id: ${id}$`, "m"));
    assert.match(body, /^query\.peer\.id: forged$/m);
    assert.match(body, /^timeout-ms: 30000$/m);
});

test("a mesh secret: a node that has another, or none, is told and does not try again", async (t) => {
    const { gateway } = await start(t, { secret: "env:FLATEND_TEST_SECRET" },
        { env: { FLATEND_TEST_SECRET: SECRET } });
    await Peer.start(t, ["-S", "name", "-n", "friend", "-s", SECRET, gateway.address]);
    await gateway.joined("name");
    await assertRefused(t, gateway, ["-s", "another secret, but long enough", gateway.address],
        /mesh secret/, /mesh secret/);
    await assertRefused(t, gateway, [gateway.address], /mesh secret/, /mesh secret/);
    const old = new OldPeer(t, { addrs: [gateway.address], services: ["name"] });
    old.mayFail = true;
    await gateway.program.waitFor(/Closed the connection to/);
    await old.kill();
    for (let i = 0; i < 20; i++) {
        assert.equal((await request(gateway.url("/name"))).body, "friend");
    }
});

test("allowed keys: the others are told", async (t) => {
    const folder = scratch(t);
    const friend = await makeKey(t, folder, "friend.key");
    const stranger = await makeKey(t, folder, "stranger.key");
    const { gateway } = await start(t, { allow: [friend.id] });
    await Peer.start(t, ["-S", "name", "-n", "friend", "-k", friend.path, "-b", "127.0.0.1:0",
        gateway.address]);
    await assertRefused(t, gateway, ["-k", stranger.path, "-b", "127.0.0.1:0", gateway.address],
        /key not allowed/, /key not allowed/);
    await assertRefused(t, gateway, [gateway.address], /anonymous node not allowed/,
        /anonymous node not allowed/);
    assert.equal((await request(gateway.url("/name"))).body, "friend");
});

test("which key may provide a service", async (t) => {
    const folder = scratch(t);
    const friend = await makeKey(t, folder, "friend.key");
    const stranger = await makeKey(t, folder, "stranger.key");
    const { gateway } = await start(t, { services: [{ name: "name", keys: [friend.id] }] });
    await Peer.start(t, ["-S", "name", "-n", "friend", "-k", friend.path, "-b", "127.0.0.1:0",
        gateway.address]);
    await assertRefused(t, gateway, ["-k", stranger.path, "-b", "127.0.0.1:0", gateway.address],
        /may not provide the service 'name'/, /may not provide the service 'name'/);
    // An old peer proves nothing for this session; its other services would be welcome.
    const old = new OldPeer(t, { addrs: [gateway.address], services: ["name"] });
    old.mayFail = true;
    await gateway.program.waitFor(/a node without a proven key may not provide the service 'name'/);
    await old.kill();
    // Nor can a name be added later.
    const sneak = await Peer.start(t, ["-k", stranger.path, "-b", "127.0.0.1:0", gateway.address]);
    assert.equal(await sneak.command("add name"), "OK");
    await gateway.program.waitFor(/may not provide the service 'name'/);
    for (let i = 0; i < 20; i++) {
        assert.equal((await request(gateway.url("/name"))).body, "friend");
    }
});

test("a pinned address: another node there is not joined", async (t) => {
    const { gateway, id } = await start(t);
    const wrong = id.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
    await assertRefused(t, gateway, [`${wrong}@${gateway.address}`], /not allowed|another key|pinned/,
        /has disconnected|Closed the connection|accepts no more requests/);
    await Peer.start(t, ["-S", "name", "-n", "right", `${id}@${gateway.address}`]);
    await gateway.joined("name");
    assert.equal((await request(gateway.url("/name"))).body, "right");
});

test("require_secure keeps old peers out; without it one mesh holds both", async (t) => {
    const strict = await start(t, { require_secure: true });
    const old = new OldPeer(t, { addrs: [strict.gateway.address], services: ["hello_world"] });
    old.mayFail = true;
    await strict.gateway.program.waitFor(/Closed the connection to/);
    await old.kill();

    const open = await start(t);
    await OldPeer.start(t, { addrs: [open.gateway.address], services: ["name"] });
    await open.gateway.joined("name");
    await example(t, "hello_world", open.gateway);
    assert.equal((await request(open.gateway.url("/hello"))).body, "Hello world!");
    assert.equal((await request(open.gateway.url("/name"))).status, 200);
});

// The client, the gateway, the service, and the one that the service asks on its behalf.
test("a client that goes away is noticed along the whole chain", async (t) => {
    const { gateway } = await start(t);
    const far = await Peer.start(t, ["-S", "hang", gateway.address]);
    await gateway.joined("hang");
    // `relay` finds `hang` only where it is connected: it provides both, in two nodes.
    const key = await makeKey(t, scratch(t), "far.key");
    const hub = await Peer.start(t, ["-S", "hang", "-k", key.path, "-b", "127.0.0.1:0"]);
    const listening = /Listening for Flatend nodes on '127\.0\.0\.1:(\d+)'/;
    const [, port] = (await hub.find(listening)).match(listening);
    const near = await Peer.start(t, ["-S", "relay", gateway.address, `127.0.0.1:${port}`]);
    await gateway.joined("relay");

    const direct = http.get(gateway.url("/hang"));
    direct.on("error", () => {});
    await far.waitFor("hanging");
    direct.destroy();
    await far.waitFor("canceled");

    const relayed = http.get(gateway.url("/relay"));
    relayed.on("error", () => {});
    await hub.waitFor("hanging");
    relayed.destroy();
    await hub.waitFor("canceled");
    await near.waitFor("relay: ECANCELED");
});

test("a deadline travels, and ends the work", async (t) => {
    const { gateway } = await start(t);
    const peer = await Peer.start(t, ["-S", "hang", gateway.address]);
    await gateway.joined("hang");
    assert.equal((await request(gateway.url("/soon"))).status, 504);
    const line = await peer.waitFor("hanging");
    const left = Number(line.match(/(\d+) ms left/)[1]);
    assert.ok(left > 0 && left <= 300, line);
    await peer.waitFor("canceled");
});

test("services come and go on a node that runs", async (t) => {
    const { gateway } = await start(t);
    const peer = await Peer.start(t, ["-n", "late", gateway.address]);
    assert.equal((await request(gateway.url("/name"))).status, 503);
    assert.equal(await peer.command("add name"), "OK");
    await gateway.program.waitFor(/has updated its services\. Services: \[name\]/);
    assert.equal((await request(gateway.url("/name"))).body, "late");
    assert.equal(await peer.command("add name"), "EEXIST");
    assert.equal(await peer.command("remove name"), "OK");
    await gateway.program.waitFor(/has updated its services\. Services: \[\]/);
    assert.equal((await request(gateway.url("/name"))).status, 503);
    assert.equal(await peer.command("remove name"), "ENOENT");
});

test("trailers pass through, both ways", async (t) => {
    const { gateway } = await start(t);
    await Peer.start(t, ["-S", "echo", gateway.address]);
    await gateway.joined("echo");
    const outgoing = http.request(gateway.url("/echo"), {
        method: "POST",
        headers: { trailer: "x-sum", te: "trailers" },
    });
    outgoing.addTrailers({ "X-Sum": "42" });
    outgoing.end("body");
    const [response] = await once(outgoing, "response");
    const body = (await response.toArray()).join("");
    assert.equal(body, "body");
    assert.deepEqual(response.trailers, { "x-sum": "42" });
});
