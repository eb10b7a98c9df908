// The gateway on systems that are not as they should be: calls that are refused, descriptors that are
// closed, outputs that take nothing, and what ends a process.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, constants, copyFileSync, mkdirSync, openSync, readFileSync, readSync, symlinkSync,
    writeFileSync, writeSync } from "node:fs";
import http from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { build, example, freePort, Gateway, scratch } from "./lib/mesh.js";
import { RawConnection, request } from "./lib/http.js";
import { catchesSignals, Program, run } from "./lib/program.js";

const flatend = join(build, "flatend");
const refuse = join(build, "tests/refuse");
const hello = [{ path: "GET /hello", service: "hello_world" }];

// A gateway's configuration on free ports, for a process that is started in another way than Gateway's.
async function configure(t, settings) {
    const gateway = new Gateway(t, settings);
    gateway.nodePort = await freePort();
    gateway.httpPort = await freePort();
    gateway.path = join(gateway.folder, "config.toml");
    writeFileSync(gateway.path, gateway.config());
    return gateway;
}

// Waits until `url` is answered: of a process without a log, nothing else can be seen.
async function answered(url) {
    for (;;) {
        try {
            return await request(url);
        } catch (error) {
            assert.match(error.message, /ECONNREFUSED|ECONNRESET|socket hang up/);
        }
    }
}

async function served(gateway, service) {
    while ((await request(gateway.url("/hello"))).body !== "Hello world!") {
        assert.equal(service.exitCode ?? service.status ?? null, null, "the service has ended");
    }
}

// ---- openat2 ----

function site(t) {
    const folder = scratch(t);
    mkdirSync(join(folder, "public/sub"), { recursive: true });
    writeFileSync(join(folder, "secret"), "secret");
    writeFileSync(join(folder, "public/index.html"), "home");
    writeFileSync(join(folder, "public/sub/file.txt"), "file");
    symlinkSync("../secret", join(folder, "public/out"));
    symlinkSync("sub/../index.html", join(folder, "public/in"));
    return { path: "GET /", static: join(folder, "public") };
}

for (const error of ["EPERM", "ENOSYS"]) {
    test(`openat2 answers ${error}: files are served, nothing else is, and the log says how`, async (t) => {
        const gateway = await Gateway.start(t, { routes: [site(t)], prefix: [refuse, "openat2", error] });
        assert.match(gateway.program.output, /This system refuses openat2 \(.*\): files .* name by name/);
        for (const [path, status] of [["/", 200], ["/in", 200], ["/sub/file.txt", 200], ["/sub", 301],
            ["/out", 404], ["/sub/..%2f..%2fsecret", 404], ["/missing", 404]]) {
            assert.equal((await request(gateway.url(path))).status, status, path);
        }
        const { code, output } = await run(t, refuse, ["openat2", error, flatend, "check"],
            { cwd: gateway.folder });
        assert.equal(code, 0, output);
        assert.match(output, /This system refuses openat2/);
    });
}

// ---- standard descriptors ----

// The command line of a shell that does to the command behind it what `redirections` say.
const through = (redirections) => ["sh", "-c", `exec "$0" "$@" ${redirections}`];

for (const closed of ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"]) {
    test(`started with ${closed}: gateway and service run, and end well`, async (t) => {
        const gateway = await configure(t, { routes: hello });
        const [sh, ...args] = through(closed);
        const program = new Program(t, sh, [...args, flatend, "--config", gateway.path],
            { cwd: gateway.folder });
        await answered(gateway.url("/hello"));
        const service = new Program(t, sh, [...args, join(build, "examples/hello_world"), gateway.address]);
        await served(gateway, service);
        for (const one of [service, program]) {
            await one.catchesSignals();
            one.signal("SIGTERM");
            assert.deepEqual(await one.exit(), { code: 0, signal: null }, one.output);
        }
    });
}

test("output that cannot be written is a failure", async (t) => {
    const cwd = scratch(t);
    const env = { ...process.env, XDG_STATE_HOME: cwd };
    writeFileSync(join(cwd, "config.toml"), '[[http]]\naddr = "127.0.0.1:0"\n');
    await run(t, flatend, ["keygen", "there"], { cwd });
    for (const [target, reason] of [["/dev/full", "No space left on device"], ["&-", "Bad file descriptor"]]) {
        for (const args of [["--help"], ["--version"], ["check"], ["trust"], ["keygen", `key${target.length}`],
            ["id", "there"]]) {
            const [sh, ...rest] = through(`>${target}`);
            const { code, output } = await run(t, sh, [...rest, flatend, ...args], { cwd, env });
            assert.equal(code, 1, `${args} >${target}: ${output}`);
            assert.ok(output.includes(`flatend: cannot write to standard output: ${reason}`), output);
        }
    }
});

// ---- a log that is not read ----

// A pipe that is full, and nobody reads: `fd` for a program, read() for what it holds in the end.
function fullPipe(t) {
    const path = join(scratch(t), "pipe");
    const made = spawn("mkfifo", [path]);
    return once(made, "exit").then(() => {
        const own = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
        const fd = openSync(path, constants.O_RDWR);
        const filling = Buffer.alloc(4096, "x".repeat(63) + "\n");
        t.after(() => [own, fd].forEach(closeSync));
        try {
            for (;;) {
                writeSync(own, filling);
            }
        } catch (error) {
            assert.equal(error.code, "EAGAIN");
        }
        const read = () => {
            const chunk = Buffer.alloc(65536);
            let text = "";
            try {
                for (;;) {
                    text += chunk.toString("latin1", 0, readSync(own, chunk));
                }
            } catch (error) {
                assert.equal(error.code, "EAGAIN");
            }
            return text.replaceAll(/x+\n/g, "");
        };
        return { fd, read };
    });
}

function start(t, fd, command, args, options = {}) {
    const child = spawn(command, args, { stdio: ["ignore", fd, fd], ...options });
    const ended = once(child, "exit");
    t.after(() => child.kill("SIGKILL"));
    return { child, ended };
}

// Its end must come soon, though not at once: it waits a second for a reader.
async function endsSoon({ ended }, ms = 20_000) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error("it does not end")), ms);
    });
    return Promise.race([ended, late]).finally(() => clearTimeout(timer));
}

test("a log that is not read stops nothing: requests, and the end", { timeout: 120_000 }, async (t) => {
    const pipe = await fullPipe(t);
    const gateway = await configure(t, { routes: hello });
    const program = start(t, pipe.fd, flatend, ["--config", gateway.path], { cwd: gateway.folder });
    await answered(gateway.url("/hello"));
    const service = start(t, pipe.fd, join(build, "examples/hello_world"), [gateway.address]);
    await served(gateway, service.child);
    for (const one of [service, program]) {
        await catchesSignals(one.child.pid);
        one.child.kill("SIGTERM");
        assert.deepEqual(await endsSoon(one), [0, null]);
    }
});

test("a log that is read again has all lines, in their order", { timeout: 120_000 }, async (t) => {
    const pipe = await fullPipe(t);
    const gateway = await configure(t, { routes: hello });
    const program = start(t, pipe.fd, flatend, ["--config", gateway.path], { cwd: gateway.folder });
    await answered(gateway.url("/hello"));
    const before = pipe.read();
    program.child.kill("SIGTERM");
    assert.deepEqual(await endsSoon(program), [0, null]);
    const lines = (before + pipe.read()).split("\n");
    assert.match(lines[0], /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d Listening for Flatend nodes on/);
    assert.match(lines[1], / Listening for HTTP requests on/);
});

test("a start that fails ends, and says so if it is read", { timeout: 120_000 }, async (t) => {
    const pipe = await fullPipe(t);
    const cwd = scratch(t);
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    t.after(() => taken.close());
    writeFileSync(join(cwd, "config.toml"),
        `addr = "127.0.0.1:0"\n[[http]]\naddr = "127.0.0.1:${taken.address().port}"\n`);
    const program = start(t, pipe.fd, flatend, [], { cwd });
    assert.deepEqual(await endsSoon(program), [1, null]);
    pipe.read();
    const second = start(t, pipe.fd, flatend, [], { cwd });
    assert.deepEqual(await endsSoon(second), [1, null]);
    assert.match(pipe.read(), /\nflatend: .*address already in use\n$/);
});

// ---- signals ----

test("SIGUSR1 and SIGUSR2 do nothing", async (t) => {
    const gateway = await Gateway.start(t, { routes: hello });
    for (const signal of ["SIGUSR1", "SIGUSR2", "SIGUSR1"]) {
        gateway.program.signal(signal);
    }
    assert.equal((await request(gateway.url("/hello"))).status, 503);
});

// In a container a program may be the first process, to which signals do not do what they do by default.
test("a second signal ends the first process of a container, too", { timeout: 60_000 }, async (t) => {
    const gateway = await Gateway.start(t, {
        routes: [{ path: "POST /pipe", service: "pipe" }],
        prefix: ["unshare", "--pid", "--fork", "--mount-proc"],
    });
    await example(t, "pipe", gateway);
    const connection = new RawConnection(t, gateway.httpPort);
    connection.send("POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst");
    await connection.receive(/first/);
    const { pid } = gateway.program;
    const inner = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
    gateway.program.mayFail = true;
    process.kill(inner, "SIGTERM");
    for (;;) {
        try {
            await request(gateway.url("/nowhere"));
        } catch {
            break; // it has the first
        }
    }
    process.kill(inner, "SIGTERM");
    assert.deepEqual(await gateway.program.exit(20_000), { code: 143, signal: null });
});

// ---- addresses ----

test("check finds addresses that overlap", async (t) => {
    const cwd = scratch(t);
    for (const [config, pattern] of [
        ['[[http]]\naddr = ":3000"\n[[http]]\naddr = "127.0.0.1:3000"\n', /:4:8: 127\.0\.0\.1:3000 overlaps/],
        ['[[http]]\naddr = ":3000"\n[[http]]\naddr = ":3000"\n', /:4:8: \[::\]:3000 is already used/],
        ['addr = "127.0.0.1:3000"\n[[http]]\naddr = ":3000"\n', /:3:8: \[::\]:3000 overlaps the node's own/],
    ]) {
        writeFileSync(join(cwd, "config.toml"), config);
        const { code, output } = await run(t, flatend, ["check"], { cwd });
        assert.equal(code, 1, output);
        assert.match(output, pattern);
    }
});

// ---- what runs out ----

test("out of descriptors: one line says so, and one that it is over", { timeout: 120_000 }, async (t) => {
    const gateway = await Gateway.start(t, { routes: hello, workers: 2, descriptors: 64 });
    const clients = [];
    for (let i = 0; i < 100; i++) {
        const socket = connect(gateway.httpPort, "127.0.0.1");
        socket.on("error", () => {}); // the gateway gives up some of those that wait
        socket.write("GET / HTTP/1.1\r\nHost: a\r\n"); // and no more
        clients.push(socket);
    }
    const line = await gateway.program.waitFor("Out of descriptors: ");
    assert.match(line, /new connections wait until some are free; raise the limit of open files \(ulimit -n/);
    clients.forEach((socket) => socket.destroy());
    // It is over when there were enough for five seconds: a request a turn, until one of them says so.
    const over = gateway.program.waitFor(/Enough descriptors again: they were short for \d+ s\./, 60_000);
    let isOver = false;
    over.finally(() => (isOver = true)).catch(() => {});
    while (!isOver) {
        await request(gateway.url("/nowhere")).catch((error) => assert.match(error.message, /ECONNRESET|hang up/));
    }
    await over;
    assert.equal(gateway.program.output.match(/Out of descriptors/g).length, 1);
    assert.equal(gateway.program.output.match(/Enough descriptors/g).length, 1);
});

test("out of descriptors for files only: the same line, and its end", { timeout: 120_000 }, async (t) => {
    const gateway = await Gateway.start(t, {
        routes: [{ path: "GET /file", static: "config.toml" }], workers: 1, descriptors: 64,
    });
    const pid = String(gateway.program.pid);
    assert.equal((await request(gateway.url("/file"))).status, 200);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const status = async () => (await request(gateway.url("/file"), { agent })).status;
    assert.equal(await status(), 200); // its connection is there
    assert.equal((await run(t, "prlimit", ["--pid", pid, "--nofile=4:64"])).code, 0);
    assert.equal(await status(), 503);
    assert.equal(await status(), 503);
    await gateway.program.waitFor("Out of descriptors: ");
    assert.equal((await run(t, "prlimit", ["--pid", pid, "--nofile=64:64"])).code, 0);
    const over = gateway.program.waitFor(/Enough descriptors again/, 60_000);
    let isOver = false;
    over.finally(() => (isOver = true)).catch(() => {});
    while (!isOver) {
        assert.equal(await status(), 200);
    }
    await over;
    assert.equal(gateway.program.output.match(/Out of descriptors/g).length, 1);
});

test("check foresees few threads: the user's limit, and that of a control group", async (t) => {
    const cwd = scratch(t);
    const copy = join(cwd, "flatend");
    chmodSync(cwd, 0o755);
    copyFileSync(flatend, copy);
    writeFileSync(join(cwd, "config.toml"), 'workers = 8\n[[http]]\naddr = "127.0.0.1:0"\n');
    const as = (nproc) => run(t, "prlimit",
        [`--nproc=${nproc}`, "setpriv", "--reuid=54321", "--clear-groups", copy, "check"], { cwd });
    const few = await as(10);
    assert.match(few.output,
        /the gateway takes up to 16 threads, the limit of this user's processes \(ulimit -u, LimitNPROC\) leaves room for \d:/);
    assert.equal(few.code, 0, few.output);
    assert.doesNotMatch((await as(100)).output, /threads/);
    const group = (max) => run(t, "unshare", ["--mount", "sh", "-c",
        `mount -t tmpfs none /sys/fs/cgroup && echo ${max} > /sys/fs/cgroup/pids.max &&
            echo 3 > /sys/fs/cgroup/pids.current && exec "$0" "$@"`, copy, "check"], { cwd });
    assert.match((await group(18)).output,
        /up to 16 threads, the limit of its control group \(pids\.max, TasksMax\) leaves room for 15:/);
    for (const enough of [19, "max"]) {
        assert.doesNotMatch((await group(enough)).output, /threads/);
    }
});

test("check foresees few descriptors, and a disk that is full", async (t) => {
    const cwd = scratch(t);
    const state = join(cwd, "state");
    mkdirSync(state);
    writeFileSync(join(cwd, "config.toml"),
        'state_dir = "state"\nworkers = 8\n[[http]]\naddr = "127.0.0.1:0"\nhttps = "local"\n');
    const check = (...prefix) => run(t, prefix[0], [...prefix.slice(1), flatend, "check"], { cwd });
    const small = await check("prlimit", "--nofile=300");
    assert.match(small.output, /limit of open files, 300, leaves room for \d+ connections/);
    assert.match((await check("prlimit", "--nofile=40")).output, /8 workers take \d+ descriptors.* is 40/);
    const full = await check("unshare", "--mount", "sh", "-c",
        'mount -t tmpfs -o size=64k none state && { dd if=/dev/zero of=state/x bs=4k count=99 2>/dev/null; exec "$0" "$@"; }');
    assert.match(full.output, /the disk of the state directory 'state' is full/);
    const readOnly = await check("unshare", "--mount", "sh", "-c",
        'mount -t tmpfs -o ro none state && exec "$0" "$@"');
    assert.match(readOnly.output, /'state' is on a file system that is mounted read-only/);
    for (const { code, output } of [small, full, readOnly]) {
        assert.equal(code, 0, output);
    }
});

// ---- memory ----

test("after a flood, memory goes back to the system", { timeout: 300_000 }, async (t) => {
    const folder = scratch(t);
    const MiB = 1024 * 1024;
    writeFileSync(join(folder, "file"), Buffer.alloc(4 * MiB, 1));
    const gateway = await Gateway.start(t, {
        routes: [{ path: "GET /", static: folder }],
        release: true,
        http: {},
        timeout: { write: "60s" },
    });
    const clients = [];
    // Clients that do not read hold memory between what is short-lived; these are some in between that stay.
    for (let i = 0; i < 1000; i++) {
        const socket = connect(gateway.httpPort, "127.0.0.1");
        socket.on("error", () => {});
        socket.pause();
        socket.write(`GET /${i % 20 === 0 ? "nowhere" : "file"} HTTP/1.1\r\nHost: a\r\n\r\n`);
        clients.push(socket);
    }
    const memory = () => gateway.program.memory("VmRSS");
    while (memory() < 150 * MiB) {
        await request(gateway.url("/nowhere"));
    }
    const loaded = memory();
    clients.forEach((socket) => socket.destroy());
    while (memory() > 50 * MiB) {
        await request(gateway.url("/nowhere"));
    }
    t.diagnostic(`${(loaded / MiB).toFixed()} MiB, then ${(memory() / MiB).toFixed()} MiB`);
});
