#!/usr/bin/env node
"use strict";
// Runs an application of HTTP as a service of a mesh: flatend-node app.js --service api --join HOST:9000
const http = require("node:http");
const { resolve } = require("node:path");
const { parseArgs } = require("node:util");
const { pathToFileURL } = require("node:url");
const { Node, fromFetch, fromHttp, loadOrCreateSecretKey, version } = require("../lib/index.js");

const HELP = `Runs an application of HTTP as a service of a Flatend mesh.

    flatend-node APP --service NAME [--join ADDRESS]... [--key FILE] [--bind ADDRESS]...

APP is a file that exports a listener of http.createServer, a server, an app of Express, Fastify or Koa, or
anything with fetch; or that listens by itself: then its server becomes the service, and no port is opened.

  --service NAME     what routes of the gateway call it
  --join ADDRESS     a node to join: host:port, unix:/path or KEY@host:port. Default: FLATEND_ADDRS, or 127.0.0.1:9000
  --key FILE         the node's secret key, which is made if the file is not there; without it the node is anonymous
  --bind ADDRESS     where to accept nodes; needs a key
  --help, --version

A mesh secret is taken from FLATEND_MESH_SECRET_FILE or FLATEND_MESH_SECRET. DEBUG=flatend shows what happens.
`;

const OPTIONS = {
    service: { type: "string" },
    join: { type: "string", multiple: true },
    key: { type: "string" },
    bind: { type: "string", multiple: true },
    help: { type: "boolean" },
    version: { type: "boolean" },
};

class UsageError extends Error {}

function parse(argv) {
    let parsed;
    try {
        parsed = parseArgs({ args: argv, options: OPTIONS, allowPositionals: true });
    } catch (error) {
        throw new UsageError(error.message);
    }
    const { values, positionals } = parsed;
    if (values.help || values.version) {
        return values;
    }
    if (positionals.length !== 1) {
        throw new UsageError("one file with an application is needed");
    }
    if (!values.service) {
        throw new UsageError("--service NAME is needed: what routes of the gateway call the application");
    }
    const addrs = (process.env.FLATEND_ADDRS ?? "").split(/[\s,]+/).filter(Boolean);
    return { ...values, app: positionals[0], join: values.join ?? (addrs.length > 0 ? addrs : ["127.0.0.1:9000"]) };
}

// Servers that the application makes listen, which they only seem to do.
function catchServers() {
    const servers = [];
    http.Server.prototype.listen = function listen(...args) {
        servers.push(this);
        const done = args.find((argument) => typeof argument === "function");
        if (done) {
            this.once("listening", done);
        }
        process.nextTick(() => this.emit("listening"));
        return this;
    };
    http.Server.prototype.address = () => null;
    return servers;
}

function isApp(value) {
    return typeof value === "function" || value instanceof http.Server || typeof value?.callback === "function" ||
        typeof value?.routing === "function" || typeof value?.fetch === "function";
}

async function load(path) {
    const servers = catchServers();
    const module = await import(pathToFileURL(resolve(path)));
    const exported = [module.default, module.default?.default, module.app, module.server, module.handler]
        .find((value) => value !== undefined && isApp(value));
    const app = exported ?? servers[0];
    if (app === undefined) {
        throw new Error(`${path} exports no application, and none of its servers listens`);
    }
    await app.ready?.(); // Fastify
    return typeof app.fetch === "function" && typeof app !== "function" ? fromFetch(app) : fromHttp(app);
}

async function run(options) {
    const handler = await load(options.app);
    const node = await Node.start({
        addrs: options.join,
        bindAddrs: options.bind,
        secretKey: options.key ? loadOrCreateSecretKey(options.key) : undefined,
        services: { [options.service]: handler },
    });
    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.once(signal, () => node.shutdown().then(() => process.exit(0)));
    }
    console.log(`Serving ${options.app} as '${options.service}'.`);
}

async function main() {
    const options = parse(process.argv.slice(2));
    if (options.help) {
        process.stdout.write(HELP);
    } else if (options.version) {
        console.log(version);
    } else {
        await run(options);
    }
}

main().catch((error) => {
    const isUsage = error instanceof UsageError;
    console.error(`flatend-node: ${error.message}${isUsage ? "\nflatend-node --help says more." : ""}`);
    process.exit(isUsage ? 2 : 1);
});
