"use strict";
// Each line of input goes to every other node that provides "chat": node index.js NAME [ADDRESS...]
const { createInterface } = require("node:readline");
const { Node, generateSecretKey } = require("flatend");

async function chat(ctx) {
    console.log(`${ctx.headers.from}: ${await ctx.body({ limit: 4096 })}`);
    ctx.end();
}

async function main() {
    const [name, ...addrs] = process.argv.slice(2);
    if (name === undefined) {
        throw new Error("usage: node index.js NAME [ADDRESS...]");
    }
    const node = await Node.start({
        bindAddrs: ["127.0.0.1:0"],
        secretKey: generateSecretKey(),
        addrs,
        services: { chat },
    });
    console.log(`Listening on ${node.listenAddrs[0]}.`);
    for await (const line of createInterface({ input: process.stdin })) {
        const others = node.providersFor(["chat"]).filter(({ id }) => id.addr !== node.id.addr);
        const calls = others.map((provider) => node.call("chat", { provider, headers: { from: name }, body: line }));
        const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === "rejected");
        failed.forEach(({ reason }) => console.error(reason.message));
    }
    await node.shutdown();
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
