"use strict";
const { Node } = require("flatend");
const { createReadStream } = require("node:fs");
// An error of the file, before its first bytes, is the response: 500 with its message.
const file = () => createReadStream(__filename);

async function main() {
    const node = await Node.start({
        addrs: (process.env.FLATEND_ADDRS ?? "127.0.0.1:9000").split(/[\s,]+/),
        services: { file },
    });
    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.once(signal, () => node.shutdown());
    }
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
