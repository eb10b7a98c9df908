// The old peer as a client of our services, and as the node that ours join by.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { build, freePort, OldPeer, repository } from "./lib/mesh.js";
import { Program } from "./lib/program.js";

const MiB = 1024 * 1024;

// An old peer that listens, and our service `name` joined by it.
async function joinByOldPeer(t, name, services = []) {
    const address = `127.0.0.1:${await freePort()}`;
    const peer = await OldPeer.start(t, { publicAddr: address, services });
    const program = new Program(t, join(build, "examples", name), [address], { cwd: repository });
    await program.waitFor(`You are now connected to ${address}. Services: [${services.join(" ")}]`);
    await program.waitFor("Discovered 0 peer(s).");
    await peer.waitFor("has connected to you");
    return { peer, program };
}

test("pushes to hello_world in C, which joined by it", async (t) => {
    const { peer } = await joinByOldPeer(t, "hello_world", ["hello"]);
    const answer = await peer.push(["hello_world"]);
    assert.equal(answer.text, "Hello world!");
    assert.equal(answer.headers["content-type"], "text/plain; charset=utf-8");
});

test("pushes many at a time to counter in C", async (t) => {
    const { peer } = await joinByOldPeer(t, "counter");
    const numbers = new Set();
    for (let i = 0; i < 20; i++) {
        numbers.add(Number((await peer.push(["count"])).text));
    }
    assert.deepEqual([...numbers].sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i));
});

test("is told that a service is not there", async (t) => {
    const { peer } = await joinByOldPeer(t, "hello_world");
    const answer = await peer.push(["nothing"]);
    assert.match(answer.error, /No nodes were able to process your request/);
    assert.equal((await peer.push(["hello_world"])).text, "Hello world!");
});

test("pipes 8 MiB through pipe in C", { timeout: 120_000 }, async (t) => {
    const { peer } = await joinByOldPeer(t, "pipe");
    const answer = await peer.push(["pipe"], {}, { zeros: 8 * MiB });
    assert.equal(answer.length, 8 * MiB);
    assert.equal(answer.sha256, createHash("sha256").update(Buffer.alloc(8 * MiB)).digest("hex"));
});

test("dies, returns, and our node comes back to it by itself", async (t) => {
    const { peer, program } = await joinByOldPeer(t, "hello_world");
    const address = program.child.spawnargs.at(-1);
    await peer.kill();
    await program.waitFor(`${address} has disconnected from you. Services: []`);
    await program.waitFor(`Trying to reconnect to ${address}. Sleeping for `);

    const again = await OldPeer.start(t, { publicAddr: address });
    await program.waitFor(`You are now connected to ${address}. Services: []`);
    await again.waitFor("has connected to you");
    assert.equal((await again.push(["hello_world"])).text, "Hello world!");
});
