// Ports for programs that are told theirs before they listen.
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const FIRST = 10_000;
const BLOCK = 100;

// The kernel gives a port out of this range to each connection that asks for none, also one that was free just now.
const [dynamic] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split("\t").map(Number);

function listen(port) {
    return new Promise((resolve) => {
        const server = createServer();
        server.once("error", () => resolve(undefined));
        server.listen(port, "127.0.0.1", () => resolve(server));
    });
}

// Test files run at the same time, each in a process: whose listener has the first port of a block has the others.
async function reserve() {
    const blocks = Math.floor((dynamic - FIRST) / BLOCK);
    const start = Math.floor(Math.random() * blocks);
    for (let i = 0; i < blocks; i++) {
        const first = FIRST + ((start + i) % blocks) * BLOCK;
        const holder = await listen(first);
        if (holder !== undefined) {
            holder.unref();
            return first;
        }
    }
    throw new Error(`no block of ${BLOCK} ports is free from ${FIRST} to ${dynamic}`);
}

let reserved;
let given = 0;

// A port at which nothing listens on any address, and which neither an outgoing connection nor another test takes.
export async function freePort() {
    reserved ??= reserve();
    const first = await reserved;
    for (let tries = 1; tries < BLOCK; tries++) {
        const port = first + 1 + (given++ % (BLOCK - 1));
        const server = await listen(port);
        if (server !== undefined) {
            await new Promise((resolve) => server.close(resolve));
            return port;
        }
    }
    throw new Error(`all ports from ${first} to ${first + BLOCK - 1} are taken`);
}
