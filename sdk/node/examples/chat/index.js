"use strict";
const { Node } = require("flatend");

const WAIT_MS = 30_000; // for a message, before the client asks again
const waiting = new Set();

// Long polling: the response comes when somebody says something.
function listen(ctx) {
    const timer = setTimeout(() => answer(null), WAIT_MS);
    const answer = (message) => {
        clearTimeout(timer);
        waiting.delete(answer);
        if (message === null) {
            ctx.status(204).end();
        } else {
            ctx.send(message);
        }
    };
    waiting.add(answer);
    ctx.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        waiting.delete(answer);
    });
}

async function say(ctx) {
    const message = await ctx.body({ limit: 4096 });
    const listeners = [...waiting];
    listeners.forEach((answer) => answer(message));
    return { heard: listeners.length };
}

async function main() {
    const node = await Node.start({
        addrs: (process.env.FLATEND_ADDRS ?? "127.0.0.1:9000").split(/[\s,]+/),
        services: { listen, say },
    });
    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.once(signal, () => node.shutdown());
    }
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
