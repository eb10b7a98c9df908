// Each example does what its README says: its gateway and its service are started, its commands run, and what they
// print compared.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { Gateway, build, freePort, scratch } from "../../../tests/e2e/lib/mesh.js";
import { Program, run } from "../../../tests/e2e/lib/program.js";

const sdk = fileURLToPath(new URL("..", import.meta.url));
const examples = join(sdk, "examples");
const names = readdirSync(examples);

// The example in a folder of its own, where it finds the packages that it asks for.
function install(t, name) {
    const folder = join(scratch(t), name);
    cpSync(join(examples, name), folder, { recursive: true });
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(sdk, join(folder, "node_modules/flatend"));
    symlinkSync(join(sdk, "node_modules/express"), join(folder, "node_modules/express"));
    return folder;
}

// The commands of the README with what they print: [[command, output], ...], from the first curl on.
function commandsOf(name) {
    const blocks = readFileSync(join(examples, name, "README.md"), "utf8").match(/```shell\n[^`]*```/g) ?? [];
    const commands = [];
    for (const line of blocks.flatMap((block) => block.split("\n").slice(1, -1))) {
        if (line.startsWith("$ ")) {
            commands.push([line.slice(2), ""]);
        } else if (line !== "") {
            commands.at(-1)[1] += `${line}\n`;
        }
    }
    return commands.filter(([command]) => /curl/.test(command));
}

// A gateway with the example's configuration, on ports of its own.
async function startGateway(t, name, folder) {
    const gateway = new Gateway(t, {});
    gateway.nodePort = await freePort();
    gateway.httpPort = await freePort();
    gateway.config = () =>
        readFileSync(join(folder, "config.toml"), "utf8")
            .replace("127.0.0.1:9000", gateway.address)
            .replace('":3000"', `"127.0.0.1:${gateway.httpPort}"`);
    await gateway.start();
    return gateway;
}

// todo takes a runtime that has SQLite.
const runtimeOf = (name) =>
    name === "todo" ? join(sdk, "test/runtimes/node_modules/node-22/bin/node") : process.execPath;

const startService = (t, name, folder, gateway) =>
    new Program(t, runtimeOf(name), ["index.js"], { cwd: folder, env: { ...process.env, FLATEND_ADDRS: gateway.address } });

for (const name of names.filter((one) => one !== "chat" && existsSync(join(examples, one, "config.toml")))) {
    test(`${name} does what its README says`, { timeout: 60_000 }, async (t) => {
        const folder = install(t, name);
        const checked = await run(t, join(build, "flatend"), ["check", "--config", "config.toml"], { cwd: folder });
        assert.equal(checked.code, 0, checked.output);
        const gateway = await startGateway(t, name, folder);
        const service = startService(t, name, folder, gateway);
        await gateway.program.waitFor(/has connected to you\. Services: \[.+\]/);
        const commands = commandsOf(name);
        assert.ok(commands.length > 0);
        const script = commands.map(([command]) => command).join("\n").replaceAll("localhost:3000", `127.0.0.1:${gateway.httpPort}`)
            .replaceAll("curl ", "curl -s ");
        const { code, output } = await run(t, "bash", ["-c", script], { cwd: folder });
        assert.equal(code, 0, output);
        const said = commands.map(([, text]) => text).join("");
        assert.equal(inOneLine(output), inOneLine(said));
        await service.stop();
    });
}

// What is printed without an end of line runs into what comes next; the README shows it in lines.
function inOneLine(text) {
    return text.replaceAll("\n", "").replace(/"bytes":\d+/, '"bytes":N');
}

test("chat answers who waits once something is said", { timeout: 60_000 }, async (t) => {
    const folder = install(t, "chat");
    const gateway = await startGateway(t, "chat", folder);
    const service = startService(t, "chat", folder, gateway);
    await gateway.joined("listen");
    const url = gateway.url("/messages");
    const heard = fetch(url).then((response) => response.text());
    const say = async () => (await fetch(url, { method: "POST", body: "Hello there" })).text();
    let answer;
    while ((answer = await say()) === '{"heard":0}');
    assert.equal(answer, '{"heard":1}');
    assert.equal(await heard, "Hello there");
    await service.stop();
});

// An example that others join: { program, address }.
async function startListening(t, folder, args) {
    const program = new Program(t, process.execPath, ["index.js", ...args], { cwd: folder });
    const line = await program.waitFor(/^Listening on /);
    return { program, address: line.match(/Listening on (.*)\.$/)[1] };
}

test("clock: nodes find and ask each other", { timeout: 60_000 }, async (t) => {
    const folder = install(t, "clock");
    const start = (...args) => startListening(t, folder, args);
    const first = await start();
    const others = [await start(first.address), await start(first.address)];
    for (const { program } of [first, ...others]) {
        await program.waitFor(/^\[\d\] Got a response! Their current time is: '\d{4}-/);
        await program.find(/^Got someone's time \('\d{4}-.*Sent back ours/);
    }
    for (const { program } of [first, ...others]) {
        await program.stop();
    }
});

test("broadcast: a line reaches every other node", { timeout: 60_000 }, async (t) => {
    const folder = install(t, "broadcast");
    const start = (...args) => startListening(t, folder, args);
    const ada = await start("Ada");
    const grace = await start("Grace", ada.address);
    const edsger = await start("Edsger", ada.address);
    edsger.program.child.stdin.write("hello\n");
    await ada.program.waitFor("Edsger: hello");
    await grace.program.waitFor("Edsger: hello");
    for (const { program } of [edsger, grace, ada]) {
        program.child.stdin.end();
        assert.deepEqual(await program.exit(), { code: 0, signal: null });
    }
});
