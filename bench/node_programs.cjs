// The programs that bench/node.mjs measures, on the SDK and on node:http: node bench/node_programs.cjs KIND WHERE
"use strict";
const http = require("node:http");
const { createRequire } = require("node:module");
const { Node, fromHttp, generateSecretKey } = require("../sdk/node");

const BLOCK = Buffer.alloc(65536, 97);
const BLOCKS = 16384; // 1 GiB
const CALLS = 64;
const [kind, where] = process.argv.slice(2);

function* gigabyte() {
    for (let i = 0; i < BLOCKS; i++) {
        yield BLOCK;
    }
}

function expressApp() {
    const app = createRequire(require.resolve("../sdk/node/package.json"))("express")();
    app.get(["/hello", "/hello2"], (req, res) => res.send("Hello world!"));
    return app;
}

// The same for a server of node:http: what a request asks for.
async function answer(req, res) {
    if (req.method === "POST") {
        let length = 0;
        for await (const chunk of req) {
            length += chunk.length;
        }
        res.end(String(length));
    } else if (req.url === "/gigabyte") {
        const { Readable } = require("node:stream");
        res.setHeader("content-length", BLOCK.length * BLOCKS);
        Readable.from(gigabyte()).pipe(res);
    } else {
        res.setHeader("content-type", "text/plain; charset=utf-8");
        res.end("Hello world!");
    }
}

const services = {
    hello: (ctx) => "Hello world!",
    gigabyte(ctx) {
        ctx.header("content-length", BLOCK.length * BLOCKS);
        return gigabyte();
    },
    async discard(ctx) {
        let length = 0;
        for await (const chunk of ctx) {
            length += chunk.length;
        }
        return String(length);
    },
};

// Calls a service, 64 at a time, and prints how many were answered in each second.
async function call(node, name) {
    let n = 0;
    const work = async () => {
        for (;;) {
            await (await node.call(name)).text();
            n++;
        }
    };
    setInterval(() => {
        console.log(`calls ${n}`);
        n = 0;
    }, 1000);
    await Promise.all(Array.from({ length: CALLS }, work));
}

async function main() {
    if (kind === "http" || kind === "express") {
        http.createServer(kind === "http" ? answer : expressApp()).listen(Number(where), "127.0.0.1",
            () => console.log("ready"));
        return;
    }
    if (kind === "calls") {
        const node = await Node.start({ secretKey: generateSecretKey(), bindAddrs: [where] });
        node.once("peer", () => call(node, "count"));
        console.log(`ready ${node.listenAddrs[0]}`);
        return;
    }
    await Node.start({ addrs: [where], services: { ...services, express: fromHttp(expressApp()) } });
    console.log("ready");
}

main();
