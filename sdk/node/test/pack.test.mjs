// The package as it is installed: without a compiler, in an empty folder, and the quick start of the seed with it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { Gateway, build, release, repository, scratch } from "../../../tests/e2e/lib/mesh.js";
import { Program, run } from "../../../tests/e2e/lib/program.js";

const routes = [{ path: "GET /hello", service: "hello_world" }];
let tarball;

before(() => {
    const addons = [`linux-${process.arch}=${release}/sdk/node/flatend.node`];
    if (process.arch === "x64") {
        addons.push(`linux-arm64=${repository}/build/arm64/sdk/node/flatend.node`);
    }
    const output = execFileSync("scripts/pack-node", addons, { cwd: repository, encoding: "utf8" });
    tarball = join(repository, output.trim().split("\n").at(-1));
});

// A PATH with node, npm and what npm itself calls; no compiler, no make, no python.
function barePath(t) {
    const folder = join(scratch(t), "bin");
    mkdirSync(folder);
    for (const name of ["node", "npm", "sh", "env"]) {
        symlinkSync(execFileSync("which", [name], { encoding: "utf8" }).trim(), join(folder, name));
    }
    return folder;
}

async function install(t) {
    const folder = scratch(t);
    const env = { ...process.env, PATH: barePath(t) };
    const commands = [["npm", "init", "-y"], ["npm", "install", "--no-audit", "--no-fund", "--offline", tarball]];
    for (const [command, ...args] of commands) {
        const { code, output } = await run(t, join(env.PATH, command), args, { cwd: folder, env });
        assert.equal(code, 0, output);
    }
    return { folder, env };
}

const INDEX = `const {Node, Context} = require("flatend");

const helloWorld = ctx => ctx.send("Hello world!");

async function main() {
    await Node.start({
        addrs: ["ADDRESS"],
        services: {
            'hello_world': helloWorld,
        },
    });
}

main().catch(err => console.error(err));
`;

for (const isSecure of [false, true]) {
    const where = isSecure ? ", in a mesh with a secret that the environment has" : "";
    test(`the seed's quick start${where}`, { timeout: 120_000 }, async (t) => {
        const { folder, env } = await install(t);
        const secret = join(folder, "secret");
        if (isSecure) {
            const made = await run(t, join(build, "flatend"), ["keygen", "--mesh-secret", secret]);
            assert.equal(made.code, 0, made.output);
        }
        const mesh = isSecure ? { secret: `file:${secret}`, require_secure: true } : {};
        const gateway = await Gateway.start(t, { routes, mesh });
        writeFileSync(join(folder, "index.js"), INDEX.replace("ADDRESS", gateway.address));
        const service = new Program(t, join(env.PATH, "node"), ["index.js"], {
            cwd: folder,
            env: { ...env, DEBUG: "*", ...(isSecure ? { FLATEND_MESH_SECRET_FILE: secret } : {}) },
        });
        service.killed = true; // it ends with us
        await service.find(new RegExp(`flatend You are now connected to ${gateway.address}\\. Services: \\[\\]`));
        await service.find(/flatend Discovered 0 peer\(s\)\./);
        await gateway.joined("hello_world");
        assert.equal(await (await fetch(gateway.url("/hello"))).text(), "Hello world!");

        await gateway.program.kill();
        await service.find(/flatend Trying to reconnect to .*Sleeping for \d+ms\./);
        await gateway.start();
        await gateway.joined("hello_world");
        assert.equal(await (await fetch(gateway.url("/hello"))).text(), "Hello world!");
        await service.kill();
    });
}

// On x64 by an emulator: slow, and the same.
const arm64 = process.arch === "x64"
    ? ["qemu-aarch64-static", join(repository, "build/tools/node-arm64/package/bin/node")]
    : [process.execPath];

test("the addon for 64-bit ARM serves", { timeout: 120_000 }, async (t) => {
    const { folder, env } = await install(t);
    const gateway = await Gateway.start(t, { routes });
    writeFileSync(join(folder, "index.js"), INDEX.replace("ADDRESS", gateway.address));
    const service = new Program(t, arm64[0], [...arm64.slice(1), "index.js"],
        { cwd: folder, env: { ...env, PATH: process.env.PATH, DEBUG: "flatend" } });
    service.killed = true;
    await gateway.joined("hello_world");
    for (let i = 0; i < 100; i++) {
        assert.equal(await (await fetch(gateway.url("/hello"))).text(), "Hello world!");
    }
    await service.kill();
});

test("what the package has", async (t) => {
    const { folder, env } = await install(t);
    const { output } = await run(t, join(env.PATH, "node"), ["-p", 'Object.keys(require("flatend")).join(" ")'], { cwd: folder, env });
    assert.match(output, /\bNode\b.*\bfromHttp fromFetch\b/);
    const module = await run(t, join(env.PATH, "node"), ["--input-type=module", "-e",
        'import { Node, fromHttp } from "flatend"; console.log(typeof Node, typeof fromHttp)'], { cwd: folder, env });
    assert.match(module.output, /^function function/);
    const command = await run(t, join(folder, "node_modules/.bin/flatend-node"), ["--version"], { cwd: folder, env });
    assert.match(command.output, /^\d+\.\d+\.\d+/);
    const foreign = await run(t, join(env.PATH, "node"), ["-e",
        'Object.defineProperty(process, "arch", { value: "mips" }); require("flatend")'], { cwd: folder, env });
    assert.match(foreign.output, /flatend: no addon for linux-mips: .*built from source/);
});
