// Connections to a node that say nothing: how many an address may have, and that they keep no node of it out.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { Gateway, Peer } from "./lib/mesh.js";
import { request } from "./lib/http.js";

const MAX = 256; // docs/security.md
const MORE = 44;

test("of silent connections of an address the oldest give way, also to a node", { timeout: 30_000 }, async (t) => {
    const routes = [{ path: "GET /ours", service: "ours" }];
    const gateway = await Gateway.start(t, { routes });
    const closed = [];
    const sockets = [];
    let hasClosed;
    const moreAreClosed = (n) =>
        new Promise((resolve) => {
            hasClosed = () => closed.length >= n && resolve();
            hasClosed();
        });
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    for (let i = 0; i < MAX + MORE; i++) {
        const socket = connect(gateway.nodePort, "127.0.0.1");
        sockets.push(socket);
        socket.resume().on("close", () => {
            closed.push(i);
            hasClosed?.();
        });
        await once(socket, "connect");
    }
    await moreAreClosed(MORE);
    await gateway.program.waitFor(/limit of 256 connections without a Handshake from one address reached/);

    await Peer.start(t, ["-n", "one", "-S", "ours", gateway.address]);
    await gateway.joined("ours");
    const response = await request(gateway.url("/ours"));
    assert.equal(`${response.status} ${response.body}`, "200 one");
    await moreAreClosed(MORE + 1);
    assert.deepEqual(closed.sort((a, b) => a - b), Array.from({ length: MORE + 1 }, (_, i) => i));
});
