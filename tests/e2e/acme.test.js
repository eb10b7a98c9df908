// Certificates by ACME, from Pebble: a real server, which validates on our ports.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build, freePort, scratch } from "./lib/mesh.js";
import { AcmeGateway, localhostCertificate, Pebble } from "./lib/pebble.js";
import { run } from "./lib/program.js";

// One Pebble for the tests that need nothing special of it.
let pebble;
const ends = [];

before(async () => {
    const t = { after: (end) => ends.unshift(end) };
    pebble = await Pebble.start(t, { settings: { domainBlocklist: ["blocked.test"] } });
});

after(async () => {
    for (const end of ends) {
        await end();
    }
});

function checkModes(gateway) {
    for (const { path, mode, isFolder } of gateway.modes()) {
        assert.equal(mode, isFolder ? 0o700 : 0o600, path);
    }
}

async function checkServes(gateway) {
    for (const name of ["a.test", "b.test"]) {
        assert.ok((await gateway.handshake(name)).authorized);
        const { status, body } = await gateway.request({ name });
        assert.deepEqual([status, body], [200, "Hello world!"]);
    }
}

// ---- the first certificate

for (const [challenge, redirect] of [["http-01", true], ["tls-alpn-01", false]]) {
    test(`the first certificate by ${challenge} alone`, async (t) => {
        const gateway = await AcmeGateway.start(t, pebble, {
            acme: { challenges: [challenge], contact: "you@example.org" },
            redirect,
        });
        assert.equal((await gateway.handshake()).authorized, false); // self-signed, but it serves
        await gateway.certified();
        await checkServes(gateway);
        checkModes(gateway);

        await gateway.program.stop(); // what is stored is served from the start
        const { accounts } = pebble;
        await gateway.start();
        await checkServes(gateway);
        assert.doesNotMatch(gateway.program.output, /self-signed/);
        assert.equal(pebble.accounts, accounts);
    });
}

test("HTTP-01 is answered on any listener in clear text", async (t) => {
    const gateway = await AcmeGateway.start(t, pebble, {
        acme: { challenges: ["http-01"] },
        redirect: false,
        plain: pebble.httpPort,
    });
    await gateway.certified();
    await checkServes(gateway);
});

test("the second challenge when HTTP-01 cannot work", async (t) => {
    const gateway = await AcmeGateway.start(t, pebble, { redirect: false });
    await gateway.program.waitFor(/[ab]\.test: http-01 failed: .* Trying another challenge type\./);
    await gateway.certified();
    await checkServes(gateway);
});

test("the second challenge when TLS-ALPN-01 cannot work", async (t) => {
    const gateway = await AcmeGateway.start(t, pebble, {
        acme: { challenges: ["tls-alpn-01", "http-01"] },
        httpsPort: await freePort(),
    });
    await gateway.program.waitFor(/[ab]\.test: tls-alpn-01 failed: .* Trying another challenge type\./);
    await gateway.certified();
    await checkServes(gateway);
});

test("a key for RSA", async (t) => {
    const gateway = await AcmeGateway.start(t, pebble, { acme: { key_type: "rsa2048" } });
    await gateway.certified();
    await checkServes(gateway);
});

test("with nonces refused, authorizations reused, and a long chain", async (t) => {
    const strange = await Pebble.start(t, {
        env: { PEBBLE_WFE_NONCEREJECT: "40", PEBBLE_AUTHZREUSE: "100", PEBBLE_CHAIN_LENGTH: "4" },
    });
    const first = await AcmeGateway.start(t, strange, {});
    await first.certified();
    await checkServes(first);
    await first.program.stop();
    const second = await AcmeGateway.start(t, strange, {
        state: first.state,
        domains: ["b.test", "c.test"],
    });
    await second.certified();
    await second.program.stop();
    assert.equal(strange.accounts, 1); // for all names of a directory
});

test("an external account", async (t) => {
    const strict = await Pebble.start(t, {
        settings: {
            externalAccountBindingRequired: true,
            externalAccountMACKeys: {
                "kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
            },
        },
    });
    const without = await AcmeGateway.start(t, strict, {});
    await without.program.waitFor("set eab_key_id and eab_hmac_key");
    await without.program.stop();
    const gateway = await AcmeGateway.start(t, strict, {
        acme: {
            eab_key_id: "kid-1",
            eab_hmac_key: "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
        },
    });
    await gateway.certified();
});

test("check says when the CA cannot come", async (t) => {
    const folder = scratch(t);
    const checked = async (http, acme = "") => {
        writeFileSync(join(folder, "config.toml"),
            `state_dir = "."\n${acme}[[http]]\nhttps = true\ndomain = "a.test"\n${http}`);
        const { code, output } = await run(t, join(build, "flatend"), ["check"], { cwd: folder });
        assert.equal(code, 0, output);
        return /config\.toml:\d+:9: the CA will connect to port 80 .* or 443 .* of 'a\.test'/.test(output);
    };
    const elsewhere = 'addr = "127.0.0.1:0"\n';
    assert.equal(await checked(""), false);
    assert.equal(await checked(elsewhere), true);
    assert.equal(await checked(`${elsewhere}redirect_http = "127.0.0.1:80"\n`), false);
    assert.equal(await checked("redirect_http = false\n"), false);
    const http01 = '[acme]\nchallenges = ["http-01"]\n';
    assert.equal(await checked("redirect_http = false\n", http01), true);
});

// ---- other names, another CA, and names that cannot be proved

// What a client gets for each name: whether it trusts it.
async function trusted(gateway, names) {
    const shown = await Promise.all(names.map((name) => gateway.handshake(name)));
    return Object.fromEntries(names.map((name, i) => [name,
        shown[i].authorized && shown[i].subjectaltname.split(", ").includes(`DNS:${name}`)]));
}

test("other names, in another order, by another CA: what is valid goes on being served", async (t) => {
    const first = await AcmeGateway.start(t, pebble, {});
    await first.certified();
    await first.program.stop();
    const reordered = await AcmeGateway.start(t, pebble,
        { state: first.state, domains: ["b.test", "a.test"] });
    await checkServes(reordered);
    assert.doesNotMatch(reordered.program.output, /self-signed|yet/);
    await reordered.program.stop();
    const away = `https://localhost:${await freePort()}/dir`;
    for (const acme of [{}, { directory: away }]) {
        const changed = new AcmeGateway(t, pebble,
            { state: first.state, domains: ["c.test", "b.test"], acme: { ...acme, retry_min: "60s" } });
        await pebble.setFailing("c.test", true);
        await changed.start();
        await changed.program.find(/Serving the certificate that is stored for 'b\.test', valid until/);
        await changed.program.find(/No certificate for 'c\.test' yet: serving a self-signed one/);
        await changed.program.find(/No certificate for c\.test and 1 more: /);
        assert.deepEqual(await trusted(changed, ["b.test", "c.test"]), { "b.test": true, "c.test": false });
        await changed.program.stop();
    }
    await pebble.setFailing("c.test", false);
});

test("names that cannot be proved do not hold back those that can", async (t) => {
    await pebble.setFailing("c.test", true);
    const domains = ["c.test", "a.test", "blocked.test", "b.test"];
    const gateway = await AcmeGateway.start(t, pebble, { domains });
    await gateway.program.waitFor("New certificate for a.test and 1 more");
    assert.deepEqual(await trusted(gateway, domains),
        { "c.test": false, "a.test": true, "blocked.test": false, "b.test": true });
    await gateway.program.stop();
    await gateway.start(); // what was ordered for the rest is served from the start
    assert.deepEqual(await trusted(gateway, domains),
        { "c.test": false, "a.test": true, "blocked.test": false, "b.test": true });
    await pebble.setFailing("c.test", false);
    await gateway.program.waitFor(/New certificate for (c\.test and 2 more|a\.test and 1 more)/);
    await gateway.program.stop();
});

test("a name that cannot be proved holds nothing back after a restart", async (t) => {
    await pebble.setFailing("c.test", true);
    const gateway = await AcmeGateway.start(t, pebble,
        { domains: ["c.test", "a.test"], acme: { retry_min: "60s" } });
    await gateway.program.waitFor("Getting a certificate without 'c.test'");
    await gateway.program.kill();
    await gateway.start(); // the next attempt at both is minutes away
    while (!(await gateway.handshake("a.test")).authorized) {
        await new Promise((resolve) => setImmediate(resolve));
    }
    await gateway.program.stop();
    await pebble.setFailing("c.test", false);
});

test("what was ordered without one name is served while another one cannot be proved", async (t) => {
    await pebble.setFailing("c.test", true);
    const domains = ["a.test", "b.test", "c.test"];
    const gateway = await AcmeGateway.start(t, pebble, { domains });
    await gateway.program.waitFor("New certificate for a.test and 1 more");
    await pebble.setFailing("b.test", true);
    await pebble.setFailing("c.test", false);
    await gateway.program.waitFor("Getting a certificate without 'b.test'");
    const { "a.test": a, "b.test": b } = await trusted(gateway, domains);
    assert.deepEqual([a, b], [true, true]);
    await gateway.program.waitFor("New certificate for a.test and 1 more");
    assert.deepEqual(await trusted(gateway, domains), { "a.test": true, "b.test": true, "c.test": true });
    await pebble.setFailing("b.test", false);
    await gateway.program.stop();
});

// ---- renewal

test("renewal under load: no request fails, and connections stay", async (t) => {
    const brief = await Pebble.start(t, { settings: { certificateValidityPeriod: 12 } });
    const gateway = await AcmeGateway.start(t, brief, {});
    await gateway.certified();
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const answers = [];
    let running = true;
    const ports = new Set(); // of the connection that is kept
    const ask = async (options) => {
        const { status, port } = await gateway.request(options);
        answers.push(status);
        if (options.agent) {
            ports.add(port);
        }
    };
    const load = Promise.all([
        ...Array.from({ length: 4 }, async (_, i) => {
            while (running) {
                await ask({ name: i % 2 ? "a.test" : "b.test" });
            }
        }),
        (async () => {
            while (running) {
                await ask({ agent });
            }
        })(),
    ]);
    const serials = new Set([(await gateway.handshake()).serial]);
    for (let i = 0; i < 2; i++) {
        await gateway.certified();
        serials.add((await gateway.handshake()).serial);
    }
    running = false;
    await load;
    assert.equal(serials.size, 3);
    assert.equal(ports.size, 1);
    assert.deepEqual(new Set(answers), new Set([200]));
    assert.ok(answers.length > 100, `${answers.length} requests`);
    assert.equal(brief.accounts, 1);
});

// ---- what goes wrong

async function checkStaysUp(t, settings, pattern) {
    const gateway = await AcmeGateway.start(t, pebble, settings);
    await gateway.program.waitFor(pattern);
    await gateway.program.waitFor(pattern); // it tries again
    assert.equal((await gateway.handshake()).authorized, false);
    return gateway;
}

test("a wrong directory", async (t) => {
    await checkStaysUp(t, { acme: { directory: `https://localhost:${pebble.port}/nowhere` } },
        /read the directory: HTTP status 404 without a problem document\. Retrying in \d+ s\.$/);
});

test("a CA that cannot be reached", async (t) => {
    await checkStaysUp(t, { acme: { directory: `https://localhost:${await freePort()}/dir` } },
        /read the directory: localhost: connection refused\. Retrying in/);
});

test("a CA that cannot be trusted", async (t) => {
    await checkStaysUp(t, { acme: { ca_file: undefined } },
        /read the directory: localhost: .*(certificate|issuer).* Retrying in/);
});

test("a name that cannot be looked up", async (t) => {
    await checkStaysUp(t, { acme: { directory: "https://ca.invalid/dir" } },
        /read the directory: look up 'ca\.invalid': .* Retrying in/);
});

test("a name that the CA rejects", async (t) => {
    await checkStaysUp(t, { domains: ["blocked.test"] },
        /order: rejectedIdentifier: .*blocked\.test/);
});

test("no challenge can work", async (t) => {
    const gateway = await AcmeGateway.start(t, pebble, {
        redirect: false,
        httpsPort: await freePort(),
    });
    await gateway.program.waitFor(/[ab]\.test: http-01 failed/);
    await gateway.program.waitFor(/[ab]\.test, tls-alpn-01: .* Retrying in \d+ s\.$/);
});

// As little of a server as it takes to say no: Pebble knows no rate limits.
test("a rate limit, also after a restart", async (t) => {
    const folder = scratch(t);
    localhostCertificate(folder);
    const asked = [];
    const server = https.createServer({
        cert: readFileSync(join(folder, "server.pem")),
        key: readFileSync(join(folder, "server.key")),
    }, (request, response) => {
        const base = `https://localhost:${server.address().port}`;
        asked.push(request.url);
        response.setHeader("replay-nonce", `nonce${asked.length}`);
        request.resume();
        if (request.url === "/dir") {
            response.end(JSON.stringify({ newNonce: `${base}/nonce`, newAccount: `${base}/account`,
                newOrder: `${base}/order` }));
        } else if (request.url === "/account") {
            response.writeHead(201, { location: `${base}/account/1` }).end("{}");
        } else if (request.url === "/order") {
            response.writeHead(429, {
                "retry-after": "7200",
                "content-type": "application/problem+json",
            }).end(JSON.stringify({ type: "urn:ietf:params:acme:error:rateLimited",
                detail: "too many certificates already issued" }));
        } else {
            response.end();
        }
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    t.after(() => server.close());
    const gateway = await AcmeGateway.start(t, pebble, {
        acme: { directory: `https://localhost:${server.address().port}/dir`,
            ca_file: join(folder, "ca.pem") },
    });
    await gateway.program.waitFor("order: rateLimited: too many certificates already issued. " +
        "Retrying in 2 h.");
    await gateway.program.kill();
    asked.length = 0;
    await gateway.start();
    await gateway.program.waitFor(/Retrying the certificate for a\.test and 1 more in (2 h|1\d\d min)/);
    assert.deepEqual(asked, []);
    assert.equal((await gateway.handshake()).authorized, false);
});

// ---- several processes, and ends without a warning

test("two processes that share a state directory", async (t) => {
    const { accounts } = pebble;
    const orders = () => pebble.program.lines.filter((line) => /Added order/.test(line)).length;
    const before = orders();
    const one = await AcmeGateway.start(t, pebble);
    const two = await AcmeGateway.start(t, pebble, {
        state: one.state,
        httpsPort: await freePort(),
        redirect: false,
    });
    await one.certified();
    const { serial } = await one.handshake();
    while ((await two.handshake()).serial !== serial) {
        await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(pebble.accounts, accounts + 1);
    assert.equal(orders(), before + 1);
    await two.program.stop();
});

// The sanitizers look for what is left behind.
test("stopped at every request of an order", async (t) => {
    const { program } = pebble;
    for (let n = 1; n <= 10; n++) {
        const gateway = new AcmeGateway(t, pebble, { domains: ["a.test"] });
        program.seen = program.lines.length;
        await gateway.start();
        for (let i = 0; i < n; i++) {
            await program.waitFor("calling handler()");
        }
        await gateway.program.stop();
    }
});

test("killed at every request of an order: it ends with a certificate, and one account",
    async (t) => {
        const { program } = pebble;
        const settings = { domains: ["a.test"] };
        const requests = (start) =>
            program.lines.slice(start).filter((line) => line.includes("calling handler()")).length;
        let start = program.lines.length;
        const whole = await AcmeGateway.start(t, pebble, settings);
        await whole.certified();
        await whole.program.stop();
        const total = requests(start);
        assert.ok(total > 8, `${total} requests`);
        for (let n = 1; n <= total; n++) {
            const { accounts } = pebble;
            const gateway = new AcmeGateway(t, pebble, settings);
            start = program.lines.length;
            program.seen = start;
            await gateway.start();
            for (let i = 0; i < n; i++) {
                await program.waitFor("calling handler()");
            }
            await gateway.program.kill();
            checkModes(gateway);
            await gateway.start();
            while (!(await gateway.handshake()).authorized) {
                await gateway.certified(); // unless it was killed after the last answer
            }
            checkModes(gateway);
            // Killed before it could ask for one, it has none; else it is the same one.
            assert.equal(pebble.accounts, accounts + 1, `killed at request ${n}`);
            await gateway.program.stop();
        }
    });
