"use strict";
const { Node } = require("flatend");

// The request is a stream, and so is the response: one Duplex.
const pipe = (ctx) => ctx.pipe(ctx);

async function main() {
    const node = await Node.start({
        addrs: (process.env.FLATEND_ADDRS ?? "127.0.0.1:9000").split(/[\s,]+/),
        services: { pipe },
    });
    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.once(signal, () => node.shutdown());
    }
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
