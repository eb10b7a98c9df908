// The program `flatend` on the command line: flags, check, signals, exit codes.
import assert from "node:assert/strict";
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { build, example, freePort, Gateway, Peer, scratch } from "./lib/mesh.js";
import { RawConnection, request } from "./lib/http.js";
import { Program, run } from "./lib/program.js";

const flatend = join(build, "flatend");

function check(t, text) {
    const cwd = scratch(t);
    writeFileSync(join(cwd, "config.toml"), text);
    return run(t, flatend, ["check"], { cwd });
}

test("--help, --version and wrong usage", async (t) => {
    for (const flag of ["-h", "--help"]) {
        const { code, output } = await run(t, flatend, [flag]);
        assert.equal(code, 0);
        for (const name of ["--config", "--host", "--port", "--help", "--version", "check"]) {
            assert.ok(output.includes(name), name);
        }
    }
    for (const flag of ["-V", "--version"]) {
        const { code, output } = await run(t, flatend, [flag]);
        assert.deepEqual({ code, output }, { code: 0, output: "flatend 0.1.0" });
    }
    for (const args of [["--nonsense"], ["nonsense"], ["--port", "70000"], ["--host", "x y"]]) {
        const { code, output } = await run(t, flatend, args);
        assert.equal(code, 2, output);
        assert.match(output, /--help/);
    }
});

test("more workers than there can be: refused if they were asked for", async (t) => {
    const cwd = scratch(t);
    writeFileSync(join(cwd, "config.toml"), 'addr = "127.0.0.1:0"\nworkers = 64\n[[http]]\naddr = "127.0.0.1:0"\n');
    const { code, output } = await run(t, "prlimit", ["--nofile=100", flatend], { cwd });
    assert.equal(code, 1, output);
    assert.match(output, /flatend: cannot start worker \d+ of 64: limit exceeded \(lower 'workers'\)/);
});

// Every key of the old README, in one configuration.
const complete = `
addr = "127.0.0.1:9000"
workers = 2

[acme]
directory = "https://ca.example/directory"
staging = false
contact = "you@example.com"
contacts = ["mailto:me@example.com"]
key_type = "p256"
challenges = ["http-01", "tls-alpn-01"]
eab_key_id = "kid-1"
eab_hmac_key = "c2VjcmV0"
retry_min = "1m"

[[http]]
https = false
domain = "lithdew.net"
domains = ["a.lithdew.net", "b.lithdew.net"]
addr = ":3000"
addrs = [":4000", "127.0.0.1:5000"]
redirect_trailing_slash = true
redirect_fixed_path = true

[http.timeout]
read = "10s"
read_header = "10s"
idle = "10s"
write = "10s"
shutdown = "10s"

[http.min]
body_size = 0

[http.max]
header_size = 1048576
body_size = 1048576

[[http.routes]]
path = "GET /"
static = "config.toml"
nocache = true

[[http.routes]]
path = "POST /:id"
services = ["a", "b", "c"]
`;

test("check accepts every key there is", async (t) => {
    const { code, output } = await check(t, complete);
    assert.equal(code, 0, output);
    assert.match(output, /config\.toml is valid/);
});

// [what, text, the part of it that is wrong, what the message must speak of]
const mistakes = [
    ["https without a name",
        complete.replace("https = false", "https = true").replace(/^domains? =.*$/gm, ""), "true", /domain/],
    ["an unknown key", complete.replace("nocache", "nocash"), "nocash", /nocash.*nocache/],
    ["a wrong type", complete.replace('"config.toml"', "7"), "7\n", /string/],
    ["a bad duration", complete.replace('read = "10s"', 'read = "10 parsecs"'), '"10 parsecs"', /10 parsecs/],
    ["a bad address", complete.replace('":3000"', '"nowhere"'), '"nowhere"', /nowhere/],
    ["a conflicting route", `${complete}\n[[http.routes]]\npath = "POST /:name"\nservice = "d"\n`,
        '"POST /:name"', /POST \/:name.*POST \/:id/],
    ["a route to nothing", complete.replace('services = ["a", "b", "c"]', ""),
        '[[http.routes]]\npath = "POST', /'service', 'services' or 'static'/],
    ["no TOML at all", "addr = \n", "\n", /./],
];
for (const [what, text, part, pattern] of mistakes) {
    test(`check finds ${what}, and says where`, async (t) => {
        const { code, output } = await check(t, text);
        const before = text.slice(0, text.indexOf(part)).split("\n");
        const place = `${before.length}:${before.at(-1).length + 1}`;
        const found = output.match(/config\.toml:(\d+:\d+): (.*)/);
        assert.equal(code, 1, output);
        assert.equal(found?.[1], place, output);
        assert.match(found[2], pattern);
    });
}

test("all mistakes are said at once, a line each, by check and at start", async (t) => {
    const cwd = scratch(t);
    writeFileSync(join(cwd, "config.toml"), complete
        .replace("workers = 2", "workers = 0")
        .replace('"POST /:id"', '"POST /{id}"')
        .replace("nocache", "nocash"));
    for (const args of [["check"], [], ["trust"], ["id"]]) {
        const { code, output } = await run(t, flatend, args, { cwd });
        assert.equal(code, 1, output);
        const lines = output.trimEnd().split("\n");
        assert.equal(lines.length, 3, output);
        assert.match(lines[0], /^flatend: config\.toml:3:11: expected a number of threads from 1 to 256$/);
        assert.match(lines[1], /^flatend: config\.toml:\d+:1: unknown key 'nocash'.*'nocache'\?$/);
        assert.match(lines[2], /^flatend: config\.toml:\d+:8: '\{id\}' is no parameter: write ':id'/);
    }
});

test("check wants a file, running does without", async (t) => {
    const cwd = scratch(t);
    const { code, output } = await run(t, flatend, ["check", "-c", "missing.toml"], { cwd });
    assert.equal(code, 1);
    assert.match(output, /missing\.toml/);
});

test("flags give the address for nodes if the file does not", async (t) => {
    const cwd = scratch(t);
    const port = await freePort();
    const httpPort = await freePort();
    writeFileSync(join(cwd, "config.toml"), `[[http]]\naddr = "127.0.0.1:${httpPort}"\n`);
    const program = new Program(t, flatend, ["--host", "127.0.0.1", "-p", String(port)], { cwd });
    await program.waitFor(`Listening for Flatend nodes on '127.0.0.1:${port}'.`);
    await program.waitFor(`Listening for HTTP requests on '127.0.0.1:${httpPort}'.`);
});

test("a taken port is an error that names it", async (t) => {
    const squatter = createServer().listen(0, "127.0.0.1");
    await once(squatter, "listening");
    t.after(() => squatter.close());
    const { port } = squatter.address();
    const cwd = scratch(t);
    writeFileSync(join(cwd, "config.toml"), `addr = "127.0.0.1:0"\n[[http]]\naddr = "127.0.0.1:${port}"\n`);
    const { code, output } = await run(t, flatend, [], { cwd });
    assert.equal(code, 1);
    assert.match(output, new RegExp(`127\\.0\\.0\\.1:${port}.*address already in use`));
});

// ---- keys ----

const HEX = /^[0-9a-f]{64}$/;

test("keygen makes a key once, id tells its public half", async (t) => {
    const cwd = scratch(t);
    const made = await run(t, flatend, ["keygen", "node.key"], { cwd });
    assert.equal(made.code, 0, made.output);
    assert.match(made.output, HEX);
    const path = join(cwd, "node.key");
    assert.equal(statSync(path).mode & 0o7777, 0o600);
    const text = readFileSync(path, "latin1");
    assert.match(text, /^[0-9a-f]{128}\n$/);
    assert.equal(text.slice(64, 128), made.output); // the public half, and nothing secret, was printed

    const again = await run(t, flatend, ["keygen", "node.key"], { cwd });
    assert.equal(again.code, 1);
    assert.match(again.output, /node\.key.*already exists/);
    assert.equal(readFileSync(path, "latin1"), text);

    assert.deepEqual(await run(t, flatend, ["id", "node.key"], { cwd }), { code: 0, output: made.output });
    const other = await run(t, flatend, ["keygen", "other.key"], { cwd });
    assert.notEqual(other.output, made.output);
});

test("id without a path asks the configuration", async (t) => {
    const cwd = scratch(t);
    const { output } = await run(t, flatend, ["keygen", "node.key"], { cwd });
    writeFileSync(join(cwd, "config.toml"), '[mesh]\nsecret_key = "node.key"\n');
    assert.deepEqual(await run(t, flatend, ["id"], { cwd }), { code: 0, output });
    writeFileSync(join(cwd, "other.toml"), "");
    const none = await run(t, flatend, ["id", "-c", "other.toml"], { cwd });
    assert.equal(none.code, 1);
    assert.match(none.output, /other\.toml: no 'secret_key' in \[mesh\]/);
});

test("id refuses what is no key, or not private", async (t) => {
    const cwd = scratch(t);
    const path = join(cwd, "node.key");
    await run(t, flatend, ["keygen", "node.key"], { cwd });
    chmodSync(path, 0o644);
    const open = await run(t, flatend, ["id", "node.key"], { cwd });
    assert.equal(open.code, 1);
    assert.match(open.output, /node\.key.*mode 0644, expected 0600/);
    writeFileSync(join(cwd, "text"), "hello\n", { mode: 0o600 });
    writeFileSync(join(cwd, "config.toml"), '[mesh]\nsecret_key = "text"\n');
    const checked = await run(t, flatend, ["check"], { cwd });
    assert.match(checked.output, /config\.toml:2:14: read key 'text': not a secret key/);
    for (const [name, why] of [["text", /text/], ["missing", /no such file/], [".", /not a regular file/]]) {
        const { code, output } = await run(t, flatend, ["id", name], { cwd });
        assert.equal(code, 1, output);
        assert.match(output, why);
    }
});

test("keygen --mesh-secret writes a secret that two nodes can share", async (t) => {
    const cwd = scratch(t);
    const made = await run(t, flatend, ["keygen", "--mesh-secret", "mesh.secret"], { cwd });
    assert.deepEqual(made, { code: 0, output: "" }); // the secret is not printed
    const path = join(cwd, "mesh.secret");
    assert.equal(statSync(path).mode & 0o7777, 0o600);
    assert.match(readFileSync(path, "latin1"), /^[0-9a-f]{64}\n$/);
    const again = await run(t, flatend, ["keygen", "--mesh-secret", "mesh.secret"], { cwd });
    assert.equal(again.code, 1);
    assert.match(again.output, /already exists/);
    const second = await run(t, flatend, ["keygen", "--mesh-secret", "second"], { cwd });
    assert.equal(second.code, 0);
    assert.notEqual(readFileSync(join(cwd, "second"), "latin1"), readFileSync(path, "latin1"));

    const gateway = await Gateway.start(t, {
        routes: [{ path: "GET /name", service: "name" }],
        mesh: { secret: `file:${path}` },
    });
    const secret = readFileSync(path, "latin1").trimEnd();
    await Peer.start(t, ["-S", "name", "-n", "friend", "-s", secret, gateway.address]);
    await gateway.joined("name");
    assert.equal((await request(gateway.url("/name"))).body, "friend");
});

test("a gateway makes its key when it first starts, and keeps it", async (t) => {
    const path = join(scratch(t), "gateway.key");
    const gateway = await Gateway.start(t, { routes: pipe, mesh: { secret_key: path } });
    const { output: id } = await run(t, flatend, ["id", path]);
    assert.match(id, HEX);
    const text = readFileSync(path, "latin1");
    await gateway.program.stop();
    await gateway.start();
    assert.equal(readFileSync(path, "latin1"), text);
    await Peer.start(t, ["-S", "name", `${id}@${gateway.address}`]);
    await gateway.joined("name");
});

test("wrong usage of keygen and id", async (t) => {
    const cwd = scratch(t);
    for (const args of [["keygen"], ["keygen", "a", "b"], ["keygen", "--nonsense", "a"], ["id", "a", "b"],
        ["id", "--mesh-secret", "a"], ["check", "a"]]) {
        const { code, output } = await run(t, flatend, args, { cwd });
        assert.equal(code, 2, `${args}: ${output}`);
        assert.match(output, /--help/);
    }
    assert.deepEqual(readdirSync(cwd), []);
});

// ---- signals ----

const pipe = [{ path: "POST /pipe", service: "pipe" }];

// A gateway with one request through it that has begun to be answered and waits for more.
async function busy(t) {
    const gateway = await Gateway.start(t, { routes: pipe });
    await example(t, "pipe", gateway);
    const connection = new RawConnection(t, gateway.httpPort);
    connection.send("POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst");
    await connection.receive(/HTTP\/1\.1 200 [^]*first/);
    return { gateway, connection };
}

test("SIGTERM lets a running request finish, and takes no new ones", async (t) => {
    const { gateway, connection } = await busy(t);
    gateway.program.signal("SIGTERM");
    // It stops listening when it has the signal: ask until there is no answer.
    for (;;) {
        try {
            await request(gateway.url("/nowhere"));
        } catch (error) {
            assert.match(error.message, /ECONNREFUSED|ECONNRESET|socket hang up/);
            break;
        }
    }
    connection.send("after");
    assert.match(await connection.all(), /first[^]*after/);
    assert.deepEqual(await gateway.program.exit(), { code: 0, signal: null });
});

test("a second signal ends it at once", async (t) => {
    const { gateway, connection } = await busy(t);
    gateway.program.mayFail = true;
    gateway.program.signal("SIGTERM");
    for (;;) {
        try {
            await request(gateway.url("/nowhere"));
        } catch {
            break;
        }
    }
    gateway.program.signal("SIGTERM");
    const { code, signal } = await gateway.program.exit(5000);
    assert.ok(signal === "SIGTERM" || code !== 0);
    assert.doesNotMatch(await connection.all(), /0\r\n\r\n$/);
});

test("a service drains, too", async (t) => {
    const gateway = await Gateway.start(t, { routes: pipe });
    const service = await example(t, "pipe", gateway);
    const connection = new RawConnection(t, gateway.httpPort);
    connection.send("POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nConnection: close\r\n\r\nfirst");
    await connection.receive(/first/);
    service.signal("SIGTERM");
    connection.send("after");
    assert.match(await connection.all(), /first[^]*after/);
    assert.deepEqual(await service.exit(), { code: 0, signal: null });
});
