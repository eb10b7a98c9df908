"use strict";
// Nodes for tests, in this process and in others, on ports that the kernel gives.
const { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");

const sdk = join(__dirname, "../..");
const built = join(sdk, "../../build/sdk/node/flatend.node");
if (process.env.FLATEND_NODE_ADDON === undefined && existsSync(built)) {
    process.env.FLATEND_NODE_ADDON = built;
}

const flatend = require("../../lib/index.js");

const WAIT_MS = 20_000;

// A node that the test ends.
async function start(t, options) {
    const node = await flatend.Node.start(options);
    t.after(() => node.shutdown());
    return node;
}

// A node that serves, and one that knows it. `server` and `client`: more of their options.
async function pair(t, services, { server = {}, client = {} } = {}) {
    const a = await start(t, {
        bindAddrs: ["127.0.0.1:0"], secretKey: flatend.generateSecretKey(), shutdownTimeout: 1000, services, ...server,
    });
    const b = await start(t, { addrs: a.listenAddrs, shutdownTimeout: 1000, ...client });
    return { server: a, client: b };
}

// The programs of tests/e2e: gateways, peers in C, nodes of 2020. Deno takes each that was sent a signal for one that has
// died of it.
const e2e = () => import("../../../../tests/e2e/lib/mesh.js");
const programs = () => import("../../../../tests/e2e/lib/program.js");

// A gateway, and a node that serves behind it.
async function behindGateway(t, services, settings) {
    const { Gateway } = await e2e();
    const gateway = await Gateway.start(t, settings);
    gateway.program.mayFail = Boolean(process.versions.deno);
    const node = await start(t, { addrs: [gateway.address], services, shutdownTimeout: 1000 });
    await gateway.joined(Object.keys(services)[0]);
    return { gateway, node };
}

function scratch(t) {
    const folder = mkdtempSync(join(tmpdir(), "flatend-sdk-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
}

// The command line of this runtime for a file.
function commandLine(file, flags = []) {
    if (process.versions.deno) {
        return [process.execPath, "run", "-A", "--quiet", "--node-modules-dir=manual", file];
    }
    return [process.execPath, ...flags, file];
}

// A program in a folder of its own, for which require("flatend") is this package.
async function script(t, source, { env = {}, name = "index.cjs", args = [], flags = [] } = {}) {
    const { Program } = await programs();
    const folder = scratch(t);
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(sdk, join(folder, "node_modules", "flatend"));
    writeFileSync(join(folder, "package.json"), '{"dependencies": {"flatend": "*"}}');
    const file = join(folder, name);
    writeFileSync(file, source);
    const [command, ...line] = commandLine(file, flags);
    const program = new Program(t, command, [...line, ...args], { cwd: folder, env: { ...process.env, ...env } });
    program.mayFail = true;
    return program;
}

// A promise, and its end from outside.
function deferred() {
    const it = {};
    it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }));
    return it;
}

// Fails where a promise is not settled in time.
function inTime(promise, what = "it", ms = WAIT_MS) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what} does not come`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Waits until `is()` is true, looked at whenever the loop turns.
async function until(is, what, ms = WAIT_MS) {
    const end = Date.now() + ms;
    while (!(await is())) {
        if (Date.now() > end) {
            throw new Error(`${what} does not come`);
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
    }
}

const isNode = !process.versions.deno && !process.versions.bun;

module.exports = {
    behindGateway, commandLine, deferred, e2e, flatend, inTime, isNode, pair, programs, scratch, script, sdk, start, until,
};
