"use strict";
const { Node } = require("flatend");
const { createReadStream, createWriteStream } = require("node:fs");
const { mkdir, stat } = require("node:fs/promises");
const { basename, join } = require("node:path");
const { pipeline } = require("node:stream/promises");
const folder = process.env.UPLOADS ?? "uploads";

// The name comes from outside: only its last part counts.
function pathOf(ctx) {
    const name = basename(ctx.params.name);
    if (!/^[\w-][\w.-]*$/.test(name)) {
        throw Object.assign(new Error("a file's name has letters, digits, dots and dashes"), { status: 400 });
    }
    return join(folder, name);
}

async function upload(ctx) {
    const path = pathOf(ctx);
    await mkdir(folder, { recursive: true });
    await pipeline(ctx, createWriteStream(path));
    ctx.status(201);
    return { bytes: (await stat(path)).size };
}

async function download(ctx) {
    const path = pathOf(ctx);
    const { size } = await stat(path).catch(() => {
        throw Object.assign(new Error("no such file"), { status: 404 });
    });
    ctx.header("content-length", size);
    return createReadStream(path);
}

async function main() {
    const node = await Node.start({
        addrs: (process.env.FLATEND_ADDRS ?? "127.0.0.1:9000").split(/[\s,]+/),
        services: { upload, download },
    });
    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.once(signal, () => node.shutdown());
    }
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
