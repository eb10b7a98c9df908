// HTTPS, with the clients that people use: curl, openssl, Node.js, a browser.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { build, example, freePort, Gateway, OldPeer, repository, scratch } from "./lib/mesh.js";
import { raw, RawConnection, request as plainRequest } from "./lib/http.js";
import { request2, session } from "./lib/http2.js";
import { Program, run } from "./lib/program.js";
import { connect, makeCertificate, request, shown } from "./lib/tls.js";

const flatend = join(build, "flatend");

// Serves a folder; `files` are made in it.
async function serve(t, http, { files = { "index.html": "hello" }, ...settings } = {}) {
    const pub = scratch(t);
    for (const [name, content] of Object.entries(files)) {
        writeFileSync(join(pub, name), content);
    }
    return Gateway.start(t, { http, routes: [{ path: "GET /", static: pub }], ...settings });
}

// With one certificate for localhost.
async function serveOwn(t, http = {}, settings = {}) {
    const folder = scratch(t);
    const pair = makeCertificate(folder, "a", ["localhost"]);
    return { folder, gateway: await serve(t, { https: true, ...pair, ...http }, settings) };
}

const mode = (path) => (statSync(path).mode & 0o7777).toString(8);

// ---- the local CA

test("local certificates, with curl and Node.js", async (t) => {
    const gateway = await serve(t, { https: "local", hsts: "1h" });
    for (const host of ["localhost", "127.0.0.1"]) {
        const { code, output } = await run(t, "curl", ["-sS", "-i", "--cacert", gateway.ca, gateway.url("/", host)]);
        assert.equal(code, 0, output);
        assert.match(output, /^HTTP\/2 200/);
        assert.match(output, /strict-transport-security: max-age=3600/);
        assert.match(output, /hello$/);
    }
    const strangers = await run(t, "curl", ["-sS", gateway.url("/", "localhost")]);
    assert.equal(strangers.code, 60, strangers.output); // a certificate that no CA has issued
    const answer = await request(gateway.url("/", "localhost"), { ca: readFileSync(gateway.ca) });
    assert.equal(answer.status, 200);
    assert.equal(mode(join(gateway.folder, "state")), "700");
    assert.equal(mode(join(gateway.folder, "state/local")), "700");
    assert.equal(mode(join(gateway.folder, "state/local/ca.key")), "600");
});

test("the local CA outlives the gateway", async (t) => {
    const gateway = await serve(t, { https: "local" });
    const before = readFileSync(gateway.ca, "utf8");
    await gateway.program.stop();
    await gateway.start();
    assert.equal(readFileSync(gateway.ca, "utf8"), before);
    const answer = await request(gateway.url("/", "localhost"), { ca: before });
    assert.equal(answer.status, 200);
});

test("flatend trust makes a CA if there is none, and says where it is", async (t) => {
    const cwd = scratch(t);
    writeFileSync(join(cwd, "config.toml"), 'state_dir = "state"\n[[http]]\nhttps = "local"\n');
    const first = await run(t, flatend, ["trust"], { cwd });
    assert.equal(first.code, 0, first.output);
    const path = join(cwd, "state/local/ca.pem");
    assert.ok(first.output.includes(`curl --cacert '${path}'`), first.output);
    assert.ok(first.output.includes("update-ca-certificates"));
    assert.ok(first.output.includes("certutil"));
    const pem = readFileSync(path, "utf8");
    assert.equal((await run(t, flatend, ["trust"], { cwd })).output, first.output);
    assert.equal(readFileSync(path, "utf8"), pem);
});

// It cannot certify other names: OpenSSL honours what the CA itself says it is good for.
test("the local CA is good for local names only", async (t) => {
    const gateway = await serve(t, { https: "local" });
    const folder = scratch(t);
    const ssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
    for (const [name, verdict] of [["my.test", 0], ["example.com", 2]]) {
        writeFileSync(join(folder, "ext"), `subjectAltName=DNS:${name}\n`);
        ssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "x.key", "-out", "x.csr", "-subj", `/CN=${name}`);
        ssl("x509", "-req", "-in", "x.csr", "-CA", gateway.ca,
            "-CAkey", gateway.ca.replace(/pem$/, "key"), "-CAcreateserial", "-CAserial", "serial",
            "-out", "x.pem", "-extfile", "ext", "-days", "10");
        const { code, output } = await run(t, "openssl", ["verify", "-CAfile", gateway.ca, "x.pem"], { cwd: folder });
        assert.equal(code, verdict, output);
        assert.match(output, verdict === 0 ? /OK/ : /permitted subtree violation/);
    }
});

test("a service behind https", async (t) => {
    const gateway = await Gateway.start(t, {
        http: { https: "local" },
        routes: [{ path: "POST /pipe", service: "pipe" }, { path: "GET /headers", service: "headers" }],
    });
    await example(t, "pipe", gateway);
    await OldPeer.start(t, { addrs: [gateway.address], services: ["headers"] });
    await gateway.joined("headers");
    const headers = await request(gateway.url("/headers", "localhost"), { ca: readFileSync(gateway.ca) });
    assert.equal(JSON.parse(headers.body)[":scheme"], "https");
    const body = randomBytes(3 << 20);
    const answer = await request(gateway.url("/pipe", "localhost"), {
        method: "POST", body, ca: readFileSync(gateway.ca),
    });
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(body));
});

// ---- own certificates

test("which certificate a name gets", async (t) => {
    const folder = scratch(t);
    const first = makeCertificate(folder, "first", ["first.example", "www.first.example"]);
    const second = makeCertificate(folder, "second", ["second.example"]);
    const wild = makeCertificate(folder, "wild", ["*.wild.example"]);
    const gateway = await serve(t, { https: true, ...first }, { certificates: [second, wild] });
    const names = {
        "first.example": "first.example",
        "www.first.example": "first.example",
        "second.example": "second.example",
        "a.wild.example": "*.wild.example",
        "a.b.wild.example": "first.example",
        "unknown.example": "first.example",
    };
    for (const [asked, expected] of Object.entries(names)) {
        assert.equal((await shown(t, gateway.httpPort, asked)).name, expected, asked);
    }
    assert.equal((await shown(t, gateway.httpPort, undefined)).name, "first.example");
});

test("versions, protocols and resumption, with openssl", async (t) => {
    const { gateway } = await serveOwn(t);
    const ask = (...args) =>
        run(t, "openssl", ["s_client", "-connect", `127.0.0.1:${gateway.httpPort}`, ...args]);
    for (const [flag, version] of [["-tls1_2", "TLSv1.2"], ["-tls1_3", "TLSv1.3"]]) {
        const { output } = await ask(flag, "-alpn", "http/1.1");
        assert.ok(output.includes(`New, ${version}, Cipher is`), output);
        assert.match(output, /ALPN protocol: http\/1\.1/);
    }
    const old = await ask("-tls1_1", "-cipher", "ALL:@SECLEVEL=0");
    assert.equal(old.code, 1);
    assert.match(old.output, /alert protocol version/);
    const weak = await ask("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA:AES128-SHA");
    assert.equal(weak.code, 1);
    assert.match(weak.output, /alert handshake failure/);
    assert.match((await ask("-alpn", "http/1.1,h2")).output, /ALPN protocol: h2/);
    const other = await ask("-alpn", "spdy/1");
    assert.match(other.output, /no application protocol/);
    const again = await ask("-tls1_2", "-reconnect");
    assert.equal(again.output.match(/^Reused, TLSv1\.2/gm)?.length, 5, again.output);
});

// RFC 9113 §9.2.2: the one suite that each client of HTTP/2 over TLS 1.2 has.
test("the suite that HTTP/2 demands of TLS 1.2", async (t) => {
    const folder = scratch(t);
    const [cert, key] = [join(folder, "rsa.pem"), join(folder, "rsa.key")];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "30",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], { stdio: "pipe" });
    const gateway = await serve(t, { https: true, cert, key });
    const { output } = await run(t, "openssl", ["s_client", "-connect", `127.0.0.1:${gateway.httpPort}`,
        "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-groups", "P-256", "-alpn", "h2"]);
    assert.match(output, /New, TLSv1\.2, Cipher is ECDHE-RSA-AES128-GCM-SHA256/);
    assert.match(output, /Server Temp Key: ECDH, (prime256v1|P-256)/);
    assert.match(output, /ALPN protocol: h2/);
});

// A session of before is good after the certificates were read anew, too.
test("sessions are resumed, with Node.js", async (t) => {
    const { gateway } = await serveOwn(t);
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"]) {
        let ticket; // in TLS 1.3 it comes behind the handshake
        const first = await connect(t, gateway.httpPort, {
            servername: "localhost", maxVersion, onSession: (session) => (ticket = session),
        });
        first.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        await once(first, "data");
        first.destroy();
        gateway.program.signal("SIGHUP");
        await gateway.program.waitFor("Reloaded the certificate");
        const second = await connect(t, gateway.httpPort, {
            servername: "localhost", maxVersion, session: ticket,
        });
        assert.ok(second.isSessionReused(), maxVersion);
        second.destroy();
    }
});

test("HTTP/2 by ALPN, with curl and Node.js", async (t) => {
    const gateway = await Gateway.start(t, {
        http: { https: "local", hsts: "1h" },
        routes: [{ path: "POST /pipe", service: "pipe" }, { path: "GET /headers", service: "headers" }],
    });
    await example(t, "pipe", gateway);
    await OldPeer.start(t, { addrs: [gateway.address], services: ["headers"] });
    await gateway.joined("headers");
    const url = gateway.url("/headers", "localhost");
    const versions = [["--http1.1", "1.1"], ["--http2", "2"]];
    for (const [flag, version] of versions) {
        const { code, output } = await run(t, "curl",
            ["-sS", flag, "-w", "%{http_version}", "-o", "/dev/null", "--cacert", gateway.ca, url]);
        assert.deepEqual({ code, output }, { code: 0, output: version });
    }
    const client = session(t, { url: () => gateway.url("", "localhost") }, { ca: readFileSync(gateway.ca) });
    const answer = await request2(client, "/headers");
    assert.equal(answer.status, 200);
    assert.equal(JSON.parse(answer.body)[":scheme"], "https");
    assert.equal(answer.headers["strict-transport-security"], "max-age=3600");
    assert.equal(client.alpnProtocol, "h2");
    const bodies = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
        const body = randomBytes(300_000 + i);
        const { body: echo } = await request2(client, "/pipe", { method: "POST", body });
        return Buffer.from(echo, "latin1").equals(body);
    }));
    assert.deepEqual(bodies, bodies.map(() => true));
    const closed = once(client, "close");
    gateway.program.signal("SIGTERM");
    await closed;
    assert.equal((await gateway.program.exit()).code, 0);
});

// ---- clients that do not speak TLS

test("a request in clear text is answered in clear text", async (t) => {
    const { gateway } = await serveOwn(t);
    const url = `http://127.0.0.1:${gateway.httpPort}/x`;
    const answer = await plainRequest(url);
    assert.equal(answer.status, 400);
    assert.match(answer.body, /HTTPS/);
    const curl = await run(t, "curl", ["-sS", "-X", "POST", "-d", "x=1", url]);
    assert.match(curl.output, /use https/);
});

test("garbage is closed", async (t) => {
    const { gateway } = await serveOwn(t);
    assert.equal(await raw(t, gateway.httpPort, "\x00\x01\x02 garbage"), "");
    const alert = await raw(t, gateway.httpPort, "\x16\x03\x01\x00\x05garbage and more of it");
    assert.equal(alert.charCodeAt(0), 21); // an alert, then the end
    assert.equal((await request(gateway.url("/", "localhost"), { rejectUnauthorized: false })).status, 200);
});

// A handshake has the time of a header, however slowly it trickles in.
test("slow handshakes end", async (t) => {
    const { gateway } = await serveOwn(t, {}, { timeout: { read_header: "400ms" } });
    const silent = new RawConnection(t, gateway.httpPort);
    const half = new RawConnection(t, gateway.httpPort);
    half.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    const drip = setInterval(() => half.send("\x00"), 50);
    t.after(() => clearInterval(drip));
    assert.equal(await silent.all(), "");
    assert.equal(await half.all(), "");
});

test("a client that goes away in the middle of it costs nothing", async (t) => {
    const { gateway } = await serveOwn(t);
    for (let i = 0; i < 50; i++) {
        const connection = new RawConnection(t, gateway.httpPort);
        connection.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".slice(0, 1 + (i % 11)));
        await once(connection.socket, "ready");
        connection.socket.destroy();
    }
    assert.equal((await request(gateway.url("/", "localhost"), { rejectUnauthorized: false })).status, 200);
});

// ---- certificates that change

// Keeps asking on connections of its own and on one that is kept, until told to stop.
function load(gateway) {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
    const state = { n: 0, failures: [], running: true };
    const loop = async (options) => {
        while (state.running) {
            try {
                const { status } = await request(gateway.url("/", "localhost"), {
                    rejectUnauthorized: false, ...options,
                });
                assert.equal(status, 200);
                state.n++;
            } catch (error) {
                state.failures.push(error);
            }
        }
    };
    const loops = [loop({}), loop({}), loop({ agent })];
    return {
        stop: async () => {
            state.running = false;
            await Promise.all(loops);
            agent.destroy();
            return state;
        },
    };
}

test("changed certificates are read while requests run", async (t) => {
    const { gateway, folder } = await serveOwn(t);
    const before = await shown(t, gateway.httpPort, "localhost");
    const requests = load(gateway);
    makeCertificate(folder, "a", ["localhost"]); // noticed by itself
    await gateway.program.waitFor("Reloaded the certificate");
    const noticed = await shown(t, gateway.httpPort, "localhost");
    assert.notEqual(noticed.serial, before.serial);
    makeCertificate(folder, "a", ["localhost"]);
    gateway.program.signal("SIGHUP"); // or when told to
    await gateway.program.waitFor("Reloaded the certificate");
    assert.notEqual((await shown(t, gateway.httpPort, "localhost")).serial, noticed.serial);
    const { n, failures } = await requests.stop();
    assert.deepEqual(failures, []);
    assert.ok(n > 10, `${n} requests`);
});

test("what cannot be used does not replace what is", async (t) => {
    const { gateway, folder } = await serveOwn(t);
    const before = await shown(t, gateway.httpPort, "localhost");
    const cert = join(folder, "a.pem");
    const key = join(folder, "a.key");
    copyFileSync(key, join(folder, "good.key"));
    const other = makeCertificate(folder, "other", ["localhost"]);
    const bad = [
        [() => copyFileSync(other.key, key), /a\.key': key does not match the certificate/],
        [() => writeFileSync(key, "nonsense"), /a\.key': no private key/],
        [() => writeFileSync(cert, ""), /a\.pem': no certificate/],
        [() => execFileSync("rm", [cert]), /a\.pem': No such file/],
    ];
    for (const [spoil, message] of bad) {
        spoil();
        gateway.program.signal("SIGHUP");
        assert.match(await gateway.program.waitFor("keeping the old one"), message);
        assert.deepEqual(await shown(t, gateway.httpPort, "localhost"), before);
    }
    makeCertificate(folder, "a", ["localhost"]);
    await gateway.program.waitFor("Reloaded the certificate");
    assert.notEqual((await shown(t, gateway.httpPort, "localhost")).serial, before.serial);
});

// ---- what is said beforehand

function check(t, cwd, http) {
    writeFileSync(join(cwd, "config.toml"), `state_dir = "state"\n[[http]]\naddr = "127.0.0.1:0"\n${http}\n`);
    return run(t, flatend, ["check"], { cwd });
}

test("check finds what is wrong with certificates, and start refuses it", async (t) => {
    const cwd = scratch(t);
    makeCertificate(cwd, "a", ["a.example"]);
    makeCertificate(cwd, "b", ["b.example"]);
    chmodSync(join(cwd, "b.key"), 0o644);
    const cases = [
        ['https = true\ncert = "a.pem"\nkey = "b.key"', /config\.toml:6:7: 'b\.key': key does not match/],
        ['https = true\ncert = "a.pem"\nkey = "none.key"', /config\.toml:6:7: 'none\.key': No such file/],
        ["https = true", /config\.toml:4:9: https needs a 'domain'/],
        ['https = true\ndomain = "192.0.2.1"', /config\.toml:5:10: no CA issues a certificate for the address '192\.0\.2\.1'/],
    ];
    for (const [http, message] of cases) {
        const checked = await check(t, cwd, http);
        assert.equal(checked.code, 1, checked.output);
        assert.match(checked.output, message);
        const started = await run(t, flatend, [], { cwd });
        assert.equal(started.code, 1);
        assert.equal(started.output, checked.output);
    }
    const warned = await check(t, cwd, 'https = true\ncert = "b.pem"\nkey = "b.key"\ndomain = "c.example"');
    assert.equal(warned.code, 0, warned.output);
    assert.match(warned.output, /b\.key': run chmod 600/);
    assert.match(warned.output, /no certificate is valid for 'c\.example'/);
});

test("check says which port and which directory will not do", async (t) => {
    const cwd = scratch(t);
    writeFileSync(join(cwd, "file"), "");
    const squatter = new Program(t, process.execPath, ["-e",
        'require("net").createServer().listen(0, "127.0.0.1", function () { console.log(this.address().port) })']);
    squatter.killed = true;
    const port = await squatter.waitFor(/^\d+$/);
    writeFileSync(join(cwd, "config.toml"),
        `state_dir = "file/state"\n[[http]]\naddr = "127.0.0.1:${port}"\nhttps = "local"\n`);
    const { code, output } = await run(t, flatend, ["check"], { cwd });
    assert.equal(code, 0, output);
    assert.match(output, new RegExp(`config\\.toml:3:8: 127\\.0\\.0\\.1:${port} is already in use`));
    assert.match(output, /state directory 'file\/state'/);
    await squatter.kill();
});

test("without a certificate yet it serves a self-signed one, and says so", async (t) => {
    const gateway = await serve(t, { https: true, domain: "www.example" });
    assert.match(gateway.program.output, /No certificate for 'www\.example' yet: serving a self-signed one/);
    assert.equal((await shown(t, gateway.httpPort, "www.example")).name, "www.example");
});

// ---- from HTTP to HTTPS

test("HTTP is redirected", async (t) => {
    const port = await freePort();
    const gateway = await serve(t, { https: "local", redirect_http: `127.0.0.1:${port}` });
    await gateway.program.waitFor(`Redirecting HTTP requests on '127.0.0.1:${port}' to HTTPS.`);
    const to = gateway.url("", "localhost");
    for (const [method, status] of [["GET", 301], ["HEAD", 301], ["POST", 308], ["DELETE", 308]]) {
        const answer = await plainRequest(`http://127.0.0.1:${port}/a/b%20c?d=e&f`, {
            method, headers: { host: `localhost:${port}` },
        });
        assert.equal(answer.status, status, method);
        assert.equal(answer.headers.location, `${to}/a/b%20c?d=e&f`);
        assert.equal(answer.headers["strict-transport-security"], undefined);
    }
    const followed = await run(t, "curl", ["-sS", "-L", "--cacert", gateway.ca, `http://localhost:${port}/`]);
    assert.match(followed.output, /hello$/);
    const nameless = await raw(t, port, "GET / HTTP/1.0\r\n\r\n");
    assert.match(nameless, /^HTTP\/1\.1 400 /);
});

// ---- much, slowly, and to the end

const sha256 = (data) => createHash("sha256").update(data).digest("hex");

test("a large file arrives whole, and a slow reader costs little memory", async (t) => {
    const big = randomBytes(64 << 20);
    const { gateway } = await serveOwn(t, {}, { files: { big }, release: true });
    const answer = await request(gateway.url("/big", "localhost"), { rejectUnauthorized: false });
    assert.equal(sha256(answer.body), sha256(big));
    const slow = [];
    for (let i = 0; i < 20; i++) {
        const socket = await connect(t, gateway.httpPort, { servername: "localhost" });
        socket.write("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
        await once(socket, "readable"); // and reads no more
        slow.push(socket);
    }
    const again = await request(gateway.url("/big", "localhost"), { rejectUnauthorized: false });
    assert.equal(sha256(again.body), sha256(big));
    assert.ok(gateway.program.memory() < 64 << 20, `${gateway.program.memory()} bytes`);
    slow.forEach((socket) => socket.destroy());
});

// Seen when one writes: a socket that is not read does not hear of a reset.
test("a reader that stops is given up after timeout.write", async (t) => {
    const { gateway } = await serveOwn(t, {}, {
        files: { big: Buffer.alloc(32 << 20) }, timeout: { write: "300ms" },
    });
    const socket = await connect(t, gateway.httpPort, { servername: "localhost" });
    socket.write("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "readable");
    const poke = setInterval(() => socket.write("x"), 50);
    t.after(() => clearInterval(poke));
    await new Promise((resolve) => socket.on("close", resolve));
});

test("idle connections are closed with close_notify, running requests finish", async (t) => {
    const { gateway } = await serveOwn(t, {}, { files: { "index.html": "hello", big: Buffer.alloc(8 << 20) } });
    const idle = await connect(t, gateway.httpPort, { servername: "localhost" });
    idle.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(idle, "data");
    const bytes = [];
    const busy = await connect(t, gateway.httpPort, { servername: "localhost" });
    busy.write("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(busy, "readable");
    const end = once(idle, "end");
    idle.resume();
    gateway.program.signal("SIGTERM");
    await end; // close_notify: without it Node.js reports an error
    busy.on("data", (data) => bytes.push(data));
    await once(busy, "end");
    const text = Buffer.concat(bytes);
    assert.ok(text.length > 8 << 20, `${text.length} bytes`);
    assert.equal((await gateway.program.exit()).code, 0);
});

// ---- a browser

test("the todo example over https://localhost, in a browser that trusts the local CA", { timeout: 120_000 }, async (t) => {
    const page = join(repository, "examples/todo/public");
    const gateway = await Gateway.start(t, {
        http: { https: "local" },
        routes: [
            { path: "GET /", static: page },
            { path: "GET /todos", service: "all_todos" },
            { path: "POST /todos", service: "add_todo" },
            { path: "DELETE /todos/:id", service: "remove_todo" },
            { path: "POST /todos/:id/done", service: "done_todo" },
        ],
    });
    await example(t, "todo", gateway, { service: "all_todos" });
    const home = scratch(t);
    const open = async () => {
        const browser = await chromium.launch({
            executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
            env: { ...process.env, HOME: home },
            args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
        t.after(() => browser.close());
        return browser.newPage();
    };
    const stranger = await open();
    await assert.rejects(stranger.goto(gateway.url("/", "localhost")), /ERR_CERT_AUTHORITY_INVALID/);

    // As flatend trust says.
    const nssdb = join(home, ".pki/nssdb");
    mkdirSync(nssdb, { recursive: true });
    execFileSync("certutil", ["-d", `sql:${nssdb}`, "-N", "--empty-password"]);
    execFileSync("certutil", ["-d", `sql:${nssdb}`, "-A", "-t", "C,,", "-n", "flatend local CA", "-i", gateway.ca]);
    const tab = await open();
    for (const host of ["localhost", "127.0.0.1"]) {
        const response = await tab.goto(gateway.url("/", host));
        assert.equal(response.status(), 200);
        assert.match((await response.securityDetails()).protocol, /TLS 1\.3/);
        await tab.getByText("Nothing to do.").waitFor();
    }
    await tab.getByLabel("What is to be done?").fill("buy milk");
    await tab.getByRole("button", { name: "Add" }).click();
    await tab.getByRole("listitem").filter({ hasText: "buy milk" }).waitFor();
    assert.ok(await tab.evaluate(() => window.isSecureContext));
});
