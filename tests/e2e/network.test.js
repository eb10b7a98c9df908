// What networks and hosts do: links that are cut without a word, processes that stop or die, restarts
// under load. Hosts are network namespaces of the test's own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, Peer } from "./lib/mesh.js";
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
