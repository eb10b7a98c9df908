// A node on the npm package flatend, as its README says to write one.
//
//     node node.cjs '{"addrs": [...], "services": [...], "publicAddr": "...", "secretKey": "...", "name": "..."}'
//
// `services` are those below; any other answers with `name`, if any, and the body of its request. With a `publicAddr` the
// node has a key: `secretKey` (Ed25519, seed and public key in hexadecimal digits), or one of its own.
//
// Each line of input is a request to make: {"services", "headers", "body": {"text"} or {"zeros"}}. The
// answer is printed as one line "answer {...}".
"use strict";

const { createHash } = require("node:crypto");
const { createInterface } = require("node:readline");
const { Node, generateSecretKey } = require("flatend");

const handlers = {
    hello: (ctx) => ctx.send("Hello world!"),
    headers: (ctx) => ctx.json(ctx.headers),
    teapot: (ctx) => {
        ctx.header(":status", "418");
        ctx.header("x-tea", "green");
        ctx.send("short and stout");
    },
    accents: (ctx) => {
        ctx.header("x-size", "5 € 😀");
        ctx.header("x-größe", "ä");
        ctx.send("small");
    },
    throws: () => {
        throw new Error("This shouldn't happen!");
    },
    echo: (ctx) => ctx.pipe(ctx),
    silent: () => console.log("silent was asked"),
    half: (ctx) => {
        // Half an answer, more than a gateway holds back for its length, then the end of the world.
        ctx.write("the first half".repeat(1000), () => process.kill(process.pid, "SIGKILL"));
    },
};

async function* bodyOf({ text, zeros }) {
    if (text !== undefined) {
        yield Buffer.from(text);
    }
    for (let left = zeros ?? 0; left > 0; left -= 65536) {
        yield Buffer.alloc(Math.min(left, 65536));
    }
}

async function push(node, { services, headers, body }) {
    const hash = createHash("sha256");
    let length = 0;
    let text = "";
    try {
        const stream = await node.push(services, headers, bodyOf(body));
        for await (const chunk of stream.body) {
            hash.update(chunk);
            length += chunk.length;
            text = (text + chunk.toString("latin1")).slice(0, 1024);
        }
        return { headers: stream.headers, length, sha256: hash.digest("hex"), text };
    } catch (error) {
        return { error: error.message };
    }
}

async function main() {
    const { addrs, services = [], publicAddr, secretKey, name } = JSON.parse(process.argv[2]);
    const answer = (ctx) => {
        // Not ctx.body(), which ends the process where streams are destroyed once they were read.
        let text = name ?? "";
        ctx.on("data", (chunk) => (text += chunk.toString("latin1")));
        ctx.on("end", () => ctx.send(text));
    };
    const key = secretKey ? Buffer.from(secretKey, "hex") : generateSecretKey();
    const node = await Node.start({
        addrs,
        publicAddr,
        bindAddrs: publicAddr ? [publicAddr] : undefined,
        secretKey: publicAddr ? key : undefined,
        services: Object.fromEntries(services.map((one) => [one, handlers[one] ?? answer])),
    });
    // Not by an exit at once: that resets connections on which something is unread, and ends Node.js peers.
    process.on("SIGTERM", () => node.shutdown().then(() => process.exit(0)));
    console.log("ready");
    for await (const line of createInterface({ input: process.stdin })) {
        console.log(`answer ${JSON.stringify(await push(node, JSON.parse(line)))}`);
    }
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
