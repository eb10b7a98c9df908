// What networks and hosts do: links that are cut without a word, processes that stop or die, restarts
// under load. Hosts are network namespaces of the test's own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort, Gateway, Peer } from "./lib/mesh.js";
import { Network, startLoad } from "./lib/net.js";

const routes = [{ path: "GET /name", service: "name" }];
const DEAD_MS = 1000;

// A gateway on one host, providers on others.
async function spread(t, providers) {
    const network = new Network(t, ["gateway", ...providers]);
    const host = network.hosts.gateway;
    const gateway = await Gateway.start(t, {
        routes,
        mesh: { dead_after: `${DEAD_MS}ms` },
        prefix: network.in("gateway"),
        host,
    });
    const peers = {};
    for (const name of providers) {
        peers[name] = await Peer.start(t, ["-S", "name", "-n", name, "-d", `${DEAD_MS}`,
            gateway.address], { prefix: network.in(name) });
        await gateway.joined("name");
    }
    const load = await startLoad(t, `http://127.0.0.1:${gateway.httpPort}/name`,
        { prefix: network.in("gateway") });
    return { network, gateway, peers, load };
}

// Nothing may fail but what was under way when the link was lost.
function assertOnlyInFlight(failures, cutAt, concurrency = 8) {
    const late = failures.filter(({ started }) => started > cutAt);
    assert.deepEqual(late, []);
    assert.ok(failures.length <= concurrency, JSON.stringify(failures));
}

test("a link is cut without a word, and healed", { timeout: 120_000 }, async (t) => {
    const { network, gateway, peers, load } = await spread(t, ["one"]);
    const near = await Peer.start(t, ["-S", "name", "-n", "near", gateway.address],
        { prefix: network.in("gateway") });
    await gateway.joined("name");
    const cutAt = Date.now();
    network.cut();
    await gateway.program.waitFor(/keep-alive timed out after \d+ ms/);
    await peers.one.waitFor(/keep-alive timed out after \d+ ms/);
    network.heal();
    await peers.one.waitFor("You are now connected to");
    await gateway.joined("name");
    const { done, failures } = await load.end();
    assert.ok(done > 100, `${done}`);
    assertOnlyInFlight(failures, cutAt);
    assert.ok(!near.output.includes("keep-alive timed out"));
});

test("a link that flaps", { timeout: 120_000 }, async (t) => {
    const { network, gateway, peers, load } = await spread(t, ["one"]);
    await Peer.start(t, ["-S", "name", "-n", "near", gateway.address],
        { prefix: network.in("gateway") });
    await gateway.joined("name");
    for (let i = 0; i < 3; i++) {
        network.cut();
        await gateway.program.waitFor(/keep-alive timed out after \d+ ms/);
        await peers.one.waitFor(/keep-alive timed out after \d+ ms/);
        network.heal();
        await peers.one.waitFor("You are now connected to");
        await gateway.joined("name");
    }
    const { failures } = await load.end();
    assert.deepEqual(failures, []);
});

// The gateway's host is gone, and another one has its name.
test("a name moves to another host: found within 6 s", { timeout: 120_000 }, async (t) => {
    const network = new Network(t, ["gateway", "other", "one"]);
    const nodePort = await freePort();
    const gatewayOn = async (name) => {
        const gateway = new Gateway(t, { routes, prefix: network.in(name), host: network.hosts[name] });
        gateway.nodePort = nodePort;
        gateway.httpPort = await freePort();
        await gateway.start();
        return gateway;
    };
    const nameIsAt = (name) => network.setFile("one", "hosts", `${network.hosts[name]} gw.test\n`);
    nameIsAt("gateway");
    const first = await gatewayOn("gateway");
    const other = await gatewayOn("other");
    const peer = await Peer.start(t, ["-S", "name", "-n", "one", `gw.test:${nodePort}`],
        { prefix: network.in("one") });
    await first.joined("name");
    await first.program.kill();
    await peer.waitFor(`Tried 8 times reconnecting to gw.test:${nodePort}: connect gw.test:${nodePort} (${network.hosts.gateway}): connection refused.`);
    nameIsAt("other");
    const movedAt = Date.now();
    await peer.waitFor(`You are now connected to ${network.hosts.other}:${nodePort}.`);
    const took = Date.now() - movedAt;
    t.diagnostic(`found after ${took} ms`);
    assert.ok(took <= 6000, `${took} ms`);
    await other.joined("name");
});

// No server of names answers: neither the start nor the end waits for one.
test("a server of names that is silent", { timeout: 120_000 }, async (t) => {
    const network = new Network(t, ["one", "names"]);
    network.setFile("one", "hosts", "");
    network.setFile("one", "resolv.conf",
        `nameserver ${network.hosts.names}\noptions timeout:30 attempts:5\n`);
    network.cut();
    const peer = new Peer(t, ...Peer.commandLine(["-S", "name", "gw.test:9000"], network.in("one")));
    await peer.waitFor("Started without a peer: look up 'gw.test': no answer in 2000 ms; trying on.");
    await peer.waitFor("Waiting for SIGINT or SIGTERM."); // a line of the log, too: they keep their order
    const endedAt = Date.now();
    await peer.stop();
    assert.ok(Date.now() - endedAt < 5000, `${Date.now() - endedAt} ms`);
});

test("providers are killed, stopped and continued under load", { timeout: 120_000 }, async (t) => {
    const { gateway, peers, network, load } = await spread(t, ["one", "two", "three"]);
    await peers.one.kill();
    peers.two.signal("SIGSTOP");
    await gateway.program.waitFor(/keep-alive timed out after \d+ ms/);
    peers.two.signal("SIGCONT");
    await peers.two.waitFor("You are now connected to");
    await gateway.joined("name");
    await Peer.start(t, ["-S", "name", "-n", "again", gateway.address],
        { prefix: network.in("one") });
    await gateway.joined("name");
    const { done, failures } = await load.end();
    assert.ok(done > 100, `${done}`);
    assert.deepEqual(failures, []); // GETs: what was under way was asked again
});

test("all providers are restarted under load, one after the other", { timeout: 120_000 }, async (t) => {
    const gateway = await Gateway.start(t, { routes });
    const begin = async () => {
        const peer = await Peer.start(t, ["-S", "name", gateway.address]);
        await gateway.joined("name");
        return peer;
    };
    const peers = [await begin(), await begin(), await begin()];
    const load = await startLoad(t, gateway.url("/name"), { concurrency: 32 });
    for (let round = 0; round < 2; round++) {
        for (const [i, peer] of peers.entries()) {
            await peer.stop();
            await gateway.program.waitFor("accepts no more requests");
            peers[i] = await begin();
        }
    }
    const { done, failures } = await load.end();
    assert.ok(done > 500, `${done}`);
    assert.deepEqual(failures, []);
});
