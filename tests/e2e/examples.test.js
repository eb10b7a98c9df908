// The other examples do what their READMEs say, and their configurations are valid.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build, example, freePort, Gateway, repository } from "./lib/mesh.js";
import { request } from "./lib/http.js";
import { Program, run } from "./lib/program.js";

const examples = join(repository, "examples");

for (const name of readdirSync(examples).filter((name) => existsSync(join(examples, name, "main.c")))) {
    test(`${name} has a README, and a configuration that is valid`, async (t) => {
        assert.match(readFileSync(join(examples, name, "README.md"), "utf8"), new RegExp(`^# ${name}\n`));
        const path = join(examples, name, "config.toml");
        if (existsSync(path)) {
            const { code, output } = await run(t, join(build, "flatend"), ["check"],
                { cwd: join(examples, name) });
            assert.equal(code, 0, output);
        }
    });
}

test("counter counts from zero", async (t) => {
    const gateway = await Gateway.start(t, { routes: [{ path: "GET /", service: "count" }] });
    await example(t, "counter", gateway, { service: "count" });
    for (let i = 0; i < 3; i++) {
        assert.equal((await request(gateway.url("/"))).body, String(i));
    }
    const many = await Promise.all(Array.from({ length: 50 }, () => request(gateway.url("/"))));
    const numbers = many.map((response) => Number(response.body)).sort((a, b) => a - b);
    assert.deepEqual(numbers, Array.from({ length: 50 }, (_, i) => i + 3));
});

test("file answers with its own source", async (t) => {
    const gateway = await Gateway.start(t, { routes: [{ path: "GET /", service: "file" }] });
    await example(t, "file", gateway);
    const response = await request(gateway.url("/"));
    assert.equal(response.status, 200);
    assert.equal(response.body, readFileSync(join(examples, "file/main.c"), "latin1"));
});

// A node of `name` that listens on a port of its own, joined by `seeds`.
async function node(t, name, seeds = []) {
    for (let attempt = 1; ; attempt++) {
        const address = `127.0.0.1:${await freePort()}`;
        const program = new Program(t, join(build, "examples", name), ["-l", address, ...seeds]);
        program.address = address;
        try {
            await program.waitFor(`Listening for Flatend nodes on '${address}'.`);
            return program;
        } catch (error) {
            if (attempt === 5 || !program.output.includes("address already in use")) {
                throw error;
            }
            program.mayFail = true;
        }
    }
}

test("clock: three nodes find and ask each other", async (t) => {
    const first = await node(t, "clock");
    const second = await node(t, "clock", [first.address]);
    await second.waitFor(`You are now connected to ${first.address}. Services: [clock]`);
    await second.waitFor("Discovered 0 peer(s).");
    const third = await node(t, "clock", [first.address]);
    await third.waitFor(`You are now connected to ${first.address}. Services: [clock]`);
    await third.waitFor(`You are now connected to ${second.address}. Services: [clock]`);
    await third.waitFor("Discovered 1 peer(s).");
    for (const program of [first, second, third]) {
        program.seen = 0;
        await program.waitFor(/^\[\d+\] Got a response! Their current time is: '\w{3} [ \d]\d [\d:]{8}'$/);
        program.seen = 0;
        await program.waitFor(/^Got someone's time \('\w{3} [ \d]\d [\d:]{8}'\)! Sent back ours/);
    }
    for (const program of [third, second, first]) {
        program.signal("SIGINT");
        assert.deepEqual(await program.exit(), { code: 0, signal: null });
    }
});

test("broadcast: a line reaches every other node, and the end of input ends it", async (t) => {
    const first = await node(t, "broadcast");
    const second = await node(t, "broadcast", [first.address]);
    await second.waitFor("Discovered 0 peer(s).");
    const third = await node(t, "broadcast", [first.address]);
    await third.waitFor("Discovered 1 peer(s).");
    await second.waitFor(`${third.address} has connected. Services: [chat]`);

    const programs = [first, second, third];
    for (const from of programs) {
        from.child.stdin.write(`hello from ${from.address}\n\n`);
        for (const to of programs.filter((program) => program !== from)) {
            await to.waitFor(`Got 'hello from ${from.address}' from ${from.address}!`);
        }
    }
    for (const program of programs) {
        program.child.stdin.end();
        assert.deepEqual(await program.exit(), { code: 0, signal: null });
    }
});

test("progress streams its events as they come", async (t) => {
    const gateway = await Gateway.start(t, { routes: [{ path: "GET /progress", service: "progress" }] });
    await example(t, "progress", gateway);
    const response = await fetch(gateway.url("/progress"));
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    const pieces = [];
    for await (const piece of response.body) {
        pieces.push(Buffer.from(piece).toString());
    }
    assert.ok(pieces.length > 1, "all at once");
    const percents = [...pieces.join("").matchAll(/^data: \{"percent":(\d+)\}$/gm)].map(([, n]) => Number(n));
    assert.deepEqual(percents, Array.from({ length: 11 }, (_, i) => i * 10));
});

test("chat answers those that wait once something is said", async (t) => {
    const gateway = await Gateway.start(t, {
        routes: [{ path: "GET /messages", service: "listen" }, { path: "POST /messages", service: "say" }],
    });
    const service = await example(t, "chat", gateway, { service: "listen" });
    const listen = async (after) => JSON.parse((await request(gateway.url(`/messages?after=${after}`))).body);
    const say = (body) => request(gateway.url("/messages"), { method: "POST", body });
    const waiting = [listen(0), listen(0), listen(0)];
    assert.equal((await say("hello")).status, 204);
    for (const answer of await Promise.all(waiting)) {
        assert.deepEqual(answer, { last: 1, messages: ["hello"] });
    }
    assert.equal((await say("who")).status, 204);
    assert.deepEqual(await listen(0), { last: 2, messages: ["hello", "who"] });
    assert.equal((await request(gateway.url("/messages?after=7"))).status, 400);
    assert.equal((await say("")).status, 400);
    const canceled = assert.rejects(request(gateway.url("/messages?after=2"), { signal: AbortSignal.timeout(50) }));
    await canceled;
    service.signal("SIGTERM");
    assert.deepEqual(await service.exit(), { code: 0, signal: null });
});

test("scatter: one request, twenty calls to other nodes", async (t) => {
    const gateway = await Gateway.start(t, { routes: [{ path: "GET /sum", service: "sum" }] });
    const first = await node(t, "scatter", [gateway.address]);
    const second = await node(t, "scatter", [gateway.address]);
    for (const [one, other] of [[first, second], [second, first]]) {
        await one.waitFor(new RegExp(`${other.address.replaceAll(".", "\\.")}.*Services: \\[s`));
    }
    await gateway.program.waitFor("has connected. Services: [square sum]");
    const response = await request(gateway.url("/sum"));
    assert.equal(response.status, 200);
    assert.deepEqual(JSON.parse(response.body), { sum: 2870, missing: 0 });
});

test("libuv: a node on a loop of the program's own, which ends by itself", async (t) => {
    const first = await node(t, "libuv");
    const second = await node(t, "libuv", [first.address]);
    for (const program of [first, second]) {
        await program.waitFor("There is one more peer.");
        await program.waitFor(/^A node has ticked \d+ times\.$/);
    }
    for (const program of [second, first]) {
        program.signal("SIGINT");
        assert.deepEqual(await program.exit(), { code: 0, signal: null });
    }
});
