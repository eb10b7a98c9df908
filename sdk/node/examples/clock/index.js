"use strict";
// Nodes that find and call each other, without a gateway: node clock/index.js [ADDRESS...]
const { setTimeout: sleep } = require("node:timers/promises");
const { Node, generateSecretKey } = require("flatend");

const now = () => new Date().toISOString();

function clock(ctx) {
    console.log(`Got someone's time ('${ctx.headers.time}')! Sent back ours ('${now()}').`);
    ctx.send(now());
}

async function main() {
    const node = await Node.start({
        bindAddrs: ["127.0.0.1:0"],
        secretKey: generateSecretKey(),
        addrs: process.argv.slice(2),
        services: { clock },
    });
    console.log(`Listening on ${node.listenAddrs[0]}.`);

    const controller = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.once(signal, () => controller.abort());
    }
    while (!controller.signal.aborted) {
        const others = node.providersFor(["clock"]).filter(({ id }) => id.addr !== node.id.addr);
        for (const [i, provider] of others.entries()) {
            const response = await node.call("clock", { provider, headers: { time: now() } });
            console.log(`[${i}] Got a response! Their current time is: '${await response.text()}'`);
        }
        await sleep(1000, undefined, { signal: controller.signal }).catch(() => {});
    }
    await node.shutdown();
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
