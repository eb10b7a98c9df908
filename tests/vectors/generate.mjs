// Writes the test vectors of docs/PROTOCOL.md, part 1: `node generate.mjs` in this folder.
//
// It shares nothing with the C code: Node.js's own crypto, and BLAKE2b (RFC 7693) below, because
// Node.js has it only with 64-byte digests. `node generate.mjs --check` compares with the files.
import crypto from "node:crypto";
import fs from "node:fs";
import assert from "node:assert";

// --- BLAKE2b with a 32-byte digest, unkeyed -----------------------------------------------------

const MASK = (1n << 64n) - 1n;
const IV = [
  0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
];
const SIGMA = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const rotr = (x, n) => ((x >> n) | (x << (64n - n))) & MASK;

function mix(v, a, b, c, d, x, y) {
  v[a] = (v[a] + v[b] + x) & MASK;
  v[d] = rotr(v[d] ^ v[a], 32n);
  v[c] = (v[c] + v[d]) & MASK;
  v[b] = rotr(v[b] ^ v[c], 24n);
  v[a] = (v[a] + v[b] + y) & MASK;
  v[d] = rotr(v[d] ^ v[a], 16n);
  v[c] = (v[c] + v[d]) & MASK;
  v[b] = rotr(v[b] ^ v[c], 63n);
}

function compress(h, block, counter, isLast) {
  const m = Array.from({ length: 16 }, (_, i) => block.readBigUInt64LE(8 * i));
  const v = [...h, ...IV];
  v[12] ^= counter;
  if (isLast) v[14] ^= MASK;
  for (let round = 0; round < 12; round++) {
    const s = SIGMA[round % 10];
    for (let i = 0; i < 4; i++) mix(v, i, i + 4, i + 8, i + 12, m[s[2 * i]], m[s[2 * i + 1]]);
    for (let i = 0; i < 4; i++) {
      const [b, c, d] = [4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4)];
      mix(v, i, b, c, d, m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
    }
  }
  return h.map((x, i) => x ^ v[i] ^ v[i + 8]);
}

function blake2b(data, digestLength = 32) {
  let h = [...IV];
  h[0] ^= 0x01010000n ^ BigInt(digestLength);
  const nBlocks = Math.max(1, Math.ceil(data.length / 128));
  for (let i = 0; i < nBlocks; i++) {
    const isLast = i === nBlocks - 1;
    const block = Buffer.alloc(128);
    data.copy(block, 0, 128 * i, 128 * (i + 1));
    h = compress(h, block, BigInt(isLast ? data.length : 128 * (i + 1)), isLast);
  }
  const out = Buffer.alloc(64);
  h.forEach((x, i) => out.writeBigUInt64LE(x, 8 * i));
  return out.subarray(0, digestLength);
}

for (const n of [0, 1, 127, 128, 129, 300]) {
  const data = Buffer.alloc(n, "x");
  assert.deepEqual(blake2b(data, 64), crypto.createHash("blake2b512").update(data).digest());
}

// --- what Node.js has ---------------------------------------------------------------------------

const u8 = (x) => Buffer.of(x);
const u16 = (x) => Buffer.of(x >> 8, x & 255);
const u32 = (x) => {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(x);
  return b;
};
const seq = (first, n) => Buffer.from(Array.from({ length: n }, (_, i) => (first + i) & 255));

const PKCS8 = { x25519: "302e020100300506032b656e04220420", ed25519: "302e020100300506032b657004220420" };
const SPKI = { x25519: "302a300506032b656e032100" };
const der = (hex, key) => Buffer.concat([Buffer.from(hex, "hex"), key]);

const privateKey = (type, seed) =>
  crypto.createPrivateKey({ key: der(PKCS8[type], seed), format: "der", type: "pkcs8" });
const publicOf = (key) =>
  crypto.createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);

function x25519(secret, peer) {
  const publicKey = crypto.createPublicKey({ key: der(SPKI.x25519, peer), format: "der", type: "spki" });
  return crypto.diffieHellman({ privateKey: privateKey("x25519", secret), publicKey });
}

function seal(key, counter, plaintext) {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(counter));
  const cipher = crypto.createCipheriv("aes-256-gcm", key, nonce);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

const record = (key, counter, plaintext) => {
  const ciphertext = seal(key, counter, plaintext);
  return Buffer.concat([u32(ciphertext.length), ciphertext]);
};

// --- packets (§1.2) -----------------------------------------------------------------------------

const identity = (seed) => {
  const key = privateKey("ed25519", seed);
  return { key, publicKey: publicOf(key), secret: Buffer.concat([seed, publicOf(key)]) };
};
const id = (publicKey, ip, port) =>
  Buffer.concat([publicKey, u8(ip.length === 4 ? 0 : 1), ip, u16(port)]);
const names = (list) =>
  Buffer.concat([u8(list.length), ...list.flatMap((s) => [u8(s.length), Buffer.from(s)])]);
const headers = (list) =>
  Buffer.concat([
    u16(list.length),
    ...list.flatMap(([k, v]) => [u8(k.length), Buffer.from(k), u16(v.length), Buffer.from(v)]),
  ]);

function handshake(who, idBytes, services) {
  if (!who) return Buffer.concat([u8(0), names(services)]);
  const signed = Buffer.concat([idBytes, Buffer.from(services.join(""))]);
  return Buffer.concat([u8(1), idBytes, names(services), crypto.sign(null, signed, who.key)]);
}
const request = (stream, services, list) => Buffer.concat([u32(stream), names(services), headers(list)]);
const response = (stream, handled, list) => Buffer.concat([u32(stream), u8(handled), headers(list)]);
const data = (stream, bytes) => Buffer.concat([u32(stream), u16(bytes.length), bytes]);

// --- the files ----------------------------------------------------------------------------------

const alice = identity(seq(0x00, 32));
const bob = identity(seq(0x40, 32));
const aliceId = id(alice.publicKey, Buffer.of(127, 0, 0, 1), 9000);
const bobId = id(bob.publicKey, Buffer.concat([Buffer.alloc(15), Buffer.of(1)]), 9001);
const mappedId = id(alice.publicKey, Buffer.concat([Buffer.alloc(10), Buffer.of(255, 255, 10, 0, 0, 2)]), 41581);
const initiator = privateKey("x25519", seq(0x80, 32));
const responder = privateKey("x25519", seq(0xa0, 32));
const shared = x25519(seq(0x80, 32), publicOf(responder));
const key = blake2b(shared);

const cryptoVectors = {
  hash_empty: blake2b(Buffer.alloc(0)),
  hash_abc: blake2b(Buffer.from("abc")),
  hash_200_input: seq(0, 200),
  hash_200: blake2b(seq(0, 200)),
  initiator_secret: seq(0x80, 32),
  initiator_public: publicOf(initiator),
  responder_secret: seq(0xa0, 32),
  responder_public: publicOf(responder),
  shared_secret: shared,
  session_key: key,
  ed25519_secret: alice.secret,
  ed25519_message: Buffer.from("flatend"),
  ed25519_signature: crypto.sign(null, Buffer.from("flatend"), alice.key),
  plaintext: seq(0, 100),
  sealed_0: seal(key, 0, seq(0, 100)),
  sealed_1: seal(key, 1, seq(0, 100)),
  sealed_empty_258: seal(key, 258, Buffer.alloc(0)),
  record_0: record(key, 0, seq(0, 100)),
};

const packetVectors = {
  id_ipv4: aliceId,
  id_ipv6: bobId,
  id_mapped: mappedId,
  handshake_anonymous: handshake(null, null, []),
  handshake_anonymous_services: handshake(null, null, ["hello_world", "todo"]),
  handshake_ipv4: handshake(alice, aliceId, ["hello_world", "todo"]),
  handshake_ipv6: handshake(bob, bobId, []),
  handshake_mapped: handshake(alice, mappedId, ["clock"]),
  service_request: request(0x40000001, ["hello_world", "todo"], [["params.id", "7"], ["content-type", "text/plain"], ["empty", ""]]),
  service_request_bare: request(0, [], []),
  service_response: response(0x40000001, 1, [["content-type", "application/json"]]),
  service_response_unhandled: response(3, 0, []),
  data: data(0x40000001, Buffer.from("Hello world!")),
  data_end: data(0x40000001, Buffer.alloc(0)),
  find_node_request: bob.publicKey,
  find_node_response: Buffer.concat([u8(2), aliceId, bobId]),
  find_node_response_empty: u8(0),
};

// A whole conversation: alice dials bob, both identified; bob serves "hello_world".
const hello = (who, idBytes, services) => handshake(who, idBytes, services);
const sessionVectors = {
  initiator_secret: seq(0x80, 32),
  responder_secret: seq(0xa0, 32),
  initiator_identity: alice.secret,
  responder_identity: bob.secret,
  initiator_key: publicOf(initiator),
  responder_key: publicOf(responder),
  initiator_hello: record(key, 0, Buffer.concat([u32(1), u8(0), hello(alice, aliceId, [])])),
  responder_hello: record(key, 0, Buffer.concat([u32(1), hello(bob, bobId, ["hello_world"])])),
  initiator_find_node: record(key, 1, Buffer.concat([u32(3), u8(4), alice.publicKey])),
  responder_nodes: record(key, 1, Buffer.concat([u32(3), u8(1), aliceId])),
  initiator_request: record(key, 2, Buffer.concat([u32(0), u8(1), request(0x40000001, ["hello_world"], [["accept", "*/*"]])])),
  initiator_end: record(key, 3, Buffer.concat([u32(0), u8(3), data(0x40000001, Buffer.alloc(0))])),
  responder_response: record(key, 2, Buffer.concat([u32(0), u8(2), response(0x40000001, 1, [["content-type", "text/plain"]])])),
  responder_data: record(key, 3, Buffer.concat([u32(0), u8(3), data(0x40000001, Buffer.from("Hello world!"))])),
  responder_end: record(key, 4, Buffer.concat([u32(0), u8(3), data(0x40000001, Buffer.alloc(0))])),
};

function text(title, vectors) {
  const lines = Object.entries(vectors).map(([name, bytes]) => `${name} ${bytes.toString("hex")}\n`);
  return `# ${title} (written by generate.mjs)\n${lines.join("")}`;
}

const files = {
  "crypto.txt": text("Keys, hash, signature, seal: docs/PROTOCOL.md 1.1", cryptoVectors),
  "packets.txt": text("Packet bodies: docs/PROTOCOL.md 1.2", packetVectors),
  "session.txt": text("A conversation, byte for byte: docs/PROTOCOL.md 1.1 to 1.4", sessionVectors),
};
for (const [name, content] of Object.entries(files)) {
  const path = new URL(name, import.meta.url);
  if (process.argv[2] === "--check") {
    assert.equal(fs.readFileSync(path, "utf8"), content, `${name} differs`);
  } else {
    fs.writeFileSync(path, content);
  }
}
