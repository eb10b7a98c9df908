// What a newcomer does, as the README says it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, Gateway, release, repository, scratch } from "./lib/mesh.js";
import { request } from "./lib/http.js";
import { Program, run } from "./lib/program.js";

const readme = readFileSync(join(repository, "README.md"), "utf8");

// The first block of code in `language` behind the heading.
function block(heading, language) {
    const section = readme.slice(readme.indexOf(`## ${heading}`));
    return section.match(new RegExp("```" + language + "\\n([^]*?)```"))[1];
}

// The configuration of hello_world, on free ports.
async function freshConfig(t) {
    const path = join(scratch(t), "config.toml");
    const nodePort = await freePort();
    const httpPort = await freePort();
    const text = readFileSync(join(repository, "examples/hello_world/config.toml"), "utf8");
    writeFileSync(path, text.replace(":9000", `:${nodePort}`).replace(":3000", `:${httpPort}`));
    return { path, nodePort, httpPort };
}

test("make run serves hello_world until Ctrl-C", async (t) => {
    const { path, nodePort, httpPort } = await freshConfig(t);
    const program = new Program(t, join(repository, "scripts/run"), [
        path,
        `127.0.0.1:${nodePort}`,
    ]);
    const line = await program.waitFor("curl -i", 300_000);
    assert.match(line, new RegExp(`http://localhost:${httpPort}/hello`));

    const { code, output } = await run(t, "curl", ["-sSi", ...line.match(/http:\S+/)]);
    assert.equal(code, 0);
    assert.match(output, /^HTTP\/1\.1 200 OK/);
    assert.match(output, /content-type: text\/plain; charset=utf-8/i);
    assert.match(output, /Hello world!$/);

    program.signal("SIGINT");
    assert.deepEqual(await program.exit(), { code: 0, signal: null });
    await assert.rejects(request(`http://127.0.0.1:${httpPort}/hello`), /ECONNREFUSED/);
});

// The processes whose command lines speak of `text`.
function processes(text) {
    const has = (pid) => {
        try {
            return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(text);
        } catch {
            return false; // it has ended meanwhile
        }
    };
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && has(name));
}

// Whom a signal is sent to: make alone, the script alone, or all that a terminal has in its foreground.
const ends = [["SIGTERM", "make"], ["SIGKILL", "make"], ["SIGKILL", "script"], ["SIGTERM", "script"],
    ["SIGHUP", "script"], ["SIGINT", "terminal"], ["SIGHUP", "terminal"]];
for (const [signal, target] of ends) {
    test(`make run: ${signal} to the ${target} leaves nothing behind`, { timeout: 600_000 }, async (t) => {
        const { path, nodePort, httpPort } = await freshConfig(t);
        const own = scratch(t); // for temporary files
        const program = new Program(t, "make",
            ["run", `CONFIG=${path}`, `ADDRESS=127.0.0.1:${nodePort}`],
            { cwd: repository, detached: true, env: { ...process.env, TMPDIR: own } });
        program.mayFail = true;
        t.after(() => processes(path).forEach((pid) => process.kill(Number(pid), "SIGKILL")));
        await program.waitFor("curl -i", 300_000);
        // The gateway has said that the service is there: what is asked now is answered.
        assert.match(program.output, /has connected to you\. Services: \[hello_world\]/);
        assert.equal((await request(`http://127.0.0.1:${httpPort}/hello`)).status, 200);

        const [script] = readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, "utf8").split(" ");
        process.kill({ make: program.pid, script: Number(script), terminal: -program.pid }[target], signal);
        await program.exit(); // its output is closed: nobody is left who could write to it
        while (processes(path).length > 0 || processes(`127.0.0.1:${nodePort}`).length > 0) {
            await new Promise(setImmediate);
        }
        await assert.rejects(request(`http://127.0.0.1:${httpPort}/hello`), /ECONNREFUSED/);
        assert.deepEqual(readdirSync(own), []);
    });
}

test("make run says that a port is taken", async (t) => {
    const { path, nodePort, httpPort } = await freshConfig(t);
    const squatter = createServer().listen(httpPort, "::");
    await once(squatter, "listening");
    t.after(() => squatter.close());

    const { code, output } = await run(t, join(repository, "scripts/run"), [
        path,
        `127.0.0.1:${nodePort}`,
    ]);
    assert.equal(code, 1);
    assert.match(output, new RegExp(`:${httpPort}.*address already in use`));
});

test("the README's services in C and JavaScript serve one mesh", async (t) => {
    const gateway = await Gateway.start(t, {
        release: true,
        routes: [{ path: "GET /hello", service: "hello_world" }],
    });
    const here = (code) => code.replace("127.0.0.1:9000", gateway.address);
    const folder = scratch(t);

    writeFileSync(join(folder, "main.c"), block("A service in C", "c"));
    const compiled = await run(t, "cc", [
        "-Wall", "-Wextra", "-Werror", "-I", join(repository, "include"),
        "-o", join(folder, "hello"), join(folder, "main.c"), "-L", release, "-lflatend",
    ]);
    assert.deepEqual(compiled, { code: 0, output: "" });
    const inC = new Program(t, join(folder, "hello"), [], {
        env: { ...process.env, LD_LIBRARY_PATH: release, FLATEND_ADDRS: gateway.address },
    });
    await inC.waitFor(`You are now connected to ${gateway.address}. Services: []`);
    await gateway.joined("hello_world");
    assert.equal((await request(gateway.url("/hello"))).body, "Hello world!");
    await inC.stop();

    const script = join(folder, "index.js");
    writeFileSync(script, here(block("One in JavaScript", "js")));
    const inJs = new Program(t, process.execPath, [script], {
        env: { ...process.env, NODE_PATH: join(repository, "tests/e2e/node_modules") },
    });
    inJs.mayFail = true; // it does not handle SIGTERM
    await gateway.joined("hello_world");
    assert.equal((await request(gateway.url("/hello"))).body, "Hello world!");
});
