"use strict";
// Beside the npm package of 2020: the same names do the same.
const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const { createRequire } = require("node:module");
const { join } = require("node:path");
const { PassThrough, Readable } = require("node:stream");
const { test } = require("node:test");
const { e2e, flatend, inTime, isNode, script } = require("./lib/mesh.js");

const old = createRequire(join(__dirname, "../../../tests/e2e/package.json"))("flatend");

test("sessions seal and open each other's frames", () => {
    const secret = randomBytes(32);
    const ours = new flatend.Session(secret);
    const theirs = new old.Session(secret);
    for (const text of ["first", "", "second €"]) {
        assert.equal(theirs.decrypt(ours.encrypt(text)).toString(), text);
        assert.equal(ours.decrypt(theirs.encrypt(text)).toString(), text);
    }
    assert.equal(ours.writeNonce, 3n);
    const broken = ours.encrypt("text");
    broken[0] ^= 1;
    assert.throws(() => new flatend.Session(secret).decrypt(broken));
    assert.throws(() => ours.decrypt(Buffer.alloc(15)), /Missing authentication tag/);
});

test("tables order identities alike", () => {
    const keys = Array.from({ length: 200 }, () => randomBytes(32));
    const [own, target] = keys;
    const ours = new flatend.Table(own);
    const theirs = new old.Table(own);
    const { host } = flatend.splitHostPort("10.0.0.1:9000");
    const oldHost = old.splitHostPort("10.0.0.1:9000").host;
    keys.forEach((key, i) => {
        const result = ours.update(new flatend.ID(key, host, i));
        assert.equal(result, theirs.update(new old.ID(key, oldHost, i)));
        assert.equal(flatend.UpdateResult[result], old.UpdateResult[result]);
    });
    assert.equal(ours.update(new flatend.ID(keys[9], host, 9)), theirs.update(new old.ID(keys[9], oldHost, 9)));
    assert.equal(ours.length, theirs.length);
    assert.equal(ours.has(keys[5]), theirs.has(keys[5]));
    assert.equal(ours.delete(keys[5]), theirs.delete(keys[5]));
    assert.equal(ours.delete(own), false);
    const closest = ours.closestTo(target, 8);
    assert.equal(closest.length, 8);
    assert.deepEqual(ours.buckets.flat().map(({ port }) => port), theirs.buckets.flat().map(({ port }) => port));
    // Ours are the closest of all, theirs those of the closest buckets.
    const near = [...ours.buckets.flat()].filter(({ publicKey }) => !target.equals(publicKey))
        .sort((a, b) => Buffer.compare(xor(a.publicKey, target), xor(b.publicKey, target))).slice(0, 8);
    assert.deepEqual(closest, near);
});

const xor = (a, b) => Buffer.from(a.map((byte, i) => byte ^ b[i]));

test("identities are encoded alike", () => {
    const key = randomBytes(32);
    for (const addr of ["10.0.0.1:9000", ":80"]) {
        const { host, port } = flatend.splitHostPort(addr);
        const theirs = old.splitHostPort(addr);
        const id = new flatend.ID(key, host, port);
        const oldId = new old.ID(key, theirs.host, theirs.port);
        assert.equal(id.addr, oldId.addr);
        assert.deepEqual(id.encode(), oldId.encode());
        const [decoded, rest] = flatend.ID.decode(Buffer.concat([oldId.encode(), Buffer.from("rest")]));
        assert.deepEqual([decoded.addr, rest.toString()], [id.addr, "rest"]);
    }
});

test("splitHostPort takes what it took, and IPv6", () => {
    const split = (addr) => {
        const { host, port } = flatend.splitHostPort(addr);
        return `${host.kind()} ${host} ${port}`;
    };
    assert.equal(split(":9000"), "ipv4 0.0.0.0 9000");
    assert.equal(split("9000"), "ipv4 0.0.0.0 9000");
    assert.equal(split("127.0.0.1:0"), "ipv4 127.0.0.1 0");
    assert.equal(split("[::1]:80"), "ipv6 ::1 80");
    assert.equal(split("2001:db8:0:0:1:0:0:1:80"), "ipv6 2001:db8::1:0:0:1 80");
    assert.equal(split("[::ffff:10.0.0.1]:80"), "ipv4 10.0.0.1 80");
    for (const wrong of ["", "a:b", "127.0.0.1:70000", "host:80", "127.0.0.1:-1"]) {
        assert.throws(() => flatend.splitHostPort(wrong));
    }
    assert.throws(() => flatend.splitHostPort(9000), TypeError);
});

test("frames with their length, and drain", async () => {
    const framed = Buffer.concat(["a", "", "€"].map(flatend.prefixLength));
    assert.deepEqual(framed, Buffer.concat(["a", "", "€"].map(old.prefixLength)));
    for (const size of [1, 3, 100]) {
        const pieces = Array.from({ length: Math.ceil(framed.length / size) }, (_, i) => framed.subarray(i * size, (i + 1) * size));
        const texts = [];
        for await (const frame of flatend.lengthPrefixed(Readable.from(pieces))) {
            texts.push(frame.toString());
        }
        assert.deepEqual(texts, ["a", "", "€"]);
    }
    const full = new PassThrough({ highWaterMark: 1 });
    assert.equal(full.write("text"), false);
    const drained = flatend.drain(full);
    full.resume();
    await inTime(drained, "drain");
    full.destroy();
    await assert.rejects(flatend.drain(full), /premature close/);
});

test("getAvailableAddress and generateSecretKey give what they gave", async () => {
    const { family, host, port } = await flatend.getAvailableAddress();
    const theirs = await old.getAvailableAddress();
    assert.deepEqual([family, host.toString(), typeof port], [String(theirs.family), theirs.host.toString(), "number"]);
    const key = flatend.generateSecretKey();
    assert.deepEqual([key.length, Buffer.isBuffer(key)], [old.generateSecretKey().length, true]);
});

// Programs as they were written in 2020.
test("programs of 2020: a counter, a file, a pipe", async (t) => {
    const { Gateway } = await e2e();
    const gateway = await Gateway.start(t, {
        routes: ["count", "file"].map((service) => ({ path: `GET /${service}`, service })).concat({ path: "POST /pipe", service: "pipe" }),
    });
    gateway.program.mayFail = !isNode;
    await script(t, `
        const {Node, Context} = require("flatend");
        const fs = require("fs");

        let counter = 0;

        const main = async () => {
            await Node.start({
                addrs: [\`:${gateway.nodePort}\`],
                services: {
                    count: ctx => ctx.send(\`\${counter++}\`),
                    file: ctx => fs.createReadStream("index.cjs").pipe(ctx),
                    pipe: ctx => ctx.pipe(ctx),
                },
            });
        }

        main().catch(err => console.error(err));`);
    await gateway.joined("pipe");
    const text = async (path, options) => (await inTime(fetch(gateway.url(path), options))).text();
    assert.equal(await text("/count"), "0");
    assert.equal(await text("/count"), "1");
    assert.match(await text("/file"), /createReadStream/);
    assert.equal(await text("/pipe", { method: "POST", body: "x".repeat(100_000) }), "x".repeat(100_000));
});

test("programs of 2020: two nodes that call each other", async (t) => {
    const { port } = await flatend.getAvailableAddress();
    const program = (name, other, options) => `
        const {Node, generateSecretKey} = require("flatend");
        const {Readable} = require("stream");

        async function ask(node) {
            const {headers, body} = await node.push(["${other}"], {asked: "by ${name}"}, Readable.from([]));
            let length = 0;
            for await (const chunk of body) length += chunk.byteLength;
            console.log("answer of", length, "bytes", headers.asked);
        }

        Node.start({
            secretKey: generateSecretKey(),
            ${options}
            services: {${name}: ctx => ctx.header("asked", ctx.headers.asked).send(Buffer.alloc(5000))},
        }).then(node => setInterval(() => ask(node).catch(err => console.error(err.message)), 20));`;
    const first = await script(t, program("bootstrap", "node", `bindAddrs: [":${port}"],`));
    await first.waitFor('No nodes were able to process your request for service(s): [node]');
    const second = await script(t, program("node", "bootstrap", `addrs: [":${port}"],`));
    await Promise.all([first, second].map((one) => one.waitFor(/^answer of 5000 bytes by (bootstrap|node)$/)));
});
