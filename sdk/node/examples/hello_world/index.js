"use strict";
const { Node } = require("flatend");

const helloWorld = (ctx) => ctx.send("Hello world!");

async function main() {
    const node = await Node.start({
        addrs: (process.env.FLATEND_ADDRS ?? "127.0.0.1:9000").split(/[\s,]+/),
        services: { hello_world: helloWorld },
    });
    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.once(signal, () => node.shutdown());
    }
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
