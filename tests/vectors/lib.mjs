// What the vectors are made with. It shares nothing with the C code: Node.js's own crypto, and BLAKE2b
// (RFC 7693) below, because Node.js has it only without a key and with 64-byte digests.
import crypto from "node:crypto";
import fs from "node:fs";
import assert from "node:assert";

// --- BLAKE2b with a 32-byte digest ---------------------------------------------------------------

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

// With a key: its length is a parameter, and the key, padded to a block, stands before the data
// (RFC 7693, 2.9 and 3.3).
export function blake2b(input, digestLength = 32, key = Buffer.alloc(0)) {
  const keyBlock = key.length > 0 ? Buffer.concat([key, Buffer.alloc(128 - key.length)]) : key;
  const data = Buffer.concat([keyBlock, input]);
  let h = [...IV];
  h[0] ^= 0x01010000n ^ BigInt(key.length << 8) ^ BigInt(digestLength);
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
// The keyed one, against the vectors of the reference implementation: "blake2b" of kat.json with the
// key 00 01 ... 3f and the inputs "" and 00.
for (const [input, digest] of [
  ["", "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786b5e996e8f0f4eb981fc214b005f42d2ff4233499391653df7aefcbc13fc51568"],
  ["00", "961f6dd1e4dd30f63901690c512e78e4b45e4742ed197c3c5e45c549fd25f2e4187b0bc9fe30492b16b0d0bc4ef9b0f34c7003fac09a5ef1532e69430234cebd"],
]) {
  const key = Buffer.from(Array.from({ length: 64 }, (_, i) => i));
  assert.equal(blake2b(Buffer.from(input, "hex"), 64, key).toString("hex"), digest);
}

// --- what Node.js has ---------------------------------------------------------------------------

export const u8 = (x) => Buffer.of(x);
export const u16 = (x) => Buffer.of(x >> 8, x & 255);
export const u32 = (x) => {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(x);
  return b;
};
export const seq = (first, n) => Buffer.from(Array.from({ length: n }, (_, i) => (first + i) & 255));

const PKCS8 = { x25519: "302e020100300506032b656e04220420", ed25519: "302e020100300506032b657004220420" };
const SPKI = { x25519: "302a300506032b656e032100" };
const der = (hex, key) => Buffer.concat([Buffer.from(hex, "hex"), key]);

export const privateKey = (type, seed) =>
  crypto.createPrivateKey({ key: der(PKCS8[type], seed), format: "der", type: "pkcs8" });
export const publicOf = (key) =>
  crypto.createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);

export function x25519(secret, peer) {
  const publicKey = crypto.createPublicKey({ key: der(SPKI.x25519, peer), format: "der", type: "spki" });
  return crypto.diffieHellman({ privateKey: privateKey("x25519", secret), publicKey });
}

export function seal(key, counter, plaintext, ad = Buffer.alloc(0)) {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(counter));
  const cipher = crypto.createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(ad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

export const record = (key, counter, plaintext) => {
  const ciphertext = seal(key, counter, plaintext);
  return Buffer.concat([u32(ciphertext.length), ciphertext]);
};

// --- packets (§1.2) -----------------------------------------------------------------------------

export const identity = (seed) => {
  const key = privateKey("ed25519", seed);
  return { key, publicKey: publicOf(key), secret: Buffer.concat([seed, publicOf(key)]) };
};
export const id = (publicKey, ip, port) =>
  Buffer.concat([publicKey, u8(ip.length === 4 ? 0 : 1), ip, u16(port)]);
export const names = (list) =>
  Buffer.concat([u8(list.length), ...list.flatMap((s) => [u8(s.length), Buffer.from(s)])]);
export const headers = (list) =>
  Buffer.concat([
    u16(list.length),
    ...list.flatMap(([k, v]) => [u8(k.length), Buffer.from(k), u16(v.length), Buffer.from(v)]),
  ]);

export function handshake(who, idBytes, services) {
  if (!who) return Buffer.concat([u8(0), names(services)]);
  const signed = Buffer.concat([idBytes, Buffer.from(services.join(""))]);
  return Buffer.concat([u8(1), idBytes, names(services), crypto.sign(null, signed, who.key)]);
}
export const request = (stream, services, list) => Buffer.concat([u32(stream), names(services), headers(list)]);
export const response = (stream, handled, list) => Buffer.concat([u32(stream), u8(handled), headers(list)]);
export const data = (stream, bytes) => Buffer.concat([u32(stream), u16(bytes.length), bytes]);

// --- the files ----------------------------------------------------------------------------------

export const alice = identity(seq(0x00, 32));
export const bob = identity(seq(0x40, 32));
export const aliceId = id(alice.publicKey, Buffer.of(127, 0, 0, 1), 9000);
export const bobId = id(bob.publicKey, Buffer.concat([Buffer.alloc(15), Buffer.of(1)]), 9001);
export const initiator = privateKey("x25519", seq(0x80, 32));
export const responder = privateKey("x25519", seq(0xa0, 32));
export const shared = x25519(seq(0x80, 32), publicOf(responder));

// Writes each file, or, with --check, compares with what is there. `files`: [title, {name: bytes}] by
// file name.
export function writeFiles(script, files) {
  for (const [name, [title, vectors]] of Object.entries(files)) {
    const lines = Object.entries(vectors).map(([key, bytes]) => `${key} ${bytes.toString("hex")}\n`);
    const content = `# ${title} (written by ${script})\n${lines.join("")}`;
    const path = new URL(name, import.meta.url);
    if (process.argv[2] === "--check") {
      assert.equal(fs.readFileSync(path, "utf8"), content, `${name} differs`);
    } else {
      fs.writeFileSync(path, content);
    }
  }
}
