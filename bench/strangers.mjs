// One attacker, in a process of its own, until standard input ends: bench/floods.mjs runs it.
//
//     node bench/strangers.mjs KIND NODE_PORT HTTP_PORT
//
// Prints "attacking" when it is under way.
import { createCipheriv, createHash, createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, sign } from "node:crypto";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { floods } from "../tests/e2e/lib/floods.js";

const blake2b = createRequire(new URL("../tests/e2e/package.json", import.meta.url))("blake2b");
const [kind, nodePort, httpPort] = process.argv.slice(2);
const X25519_PREFIX = Buffer.from("302a300506032b656e032100", "hex");
let isOver = false;
process.stdin.resume().on("end", () => process.exit(0));

// ---- the mesh port: docs/PROTOCOL.md, part 1

function rawKey(publicKey) {
    return publicKey.export({ format: "der", type: "spki" }).subarray(-32);
}

const identity = generateKeyPairSync("ed25519");
const id = Buffer.concat([rawKey(identity.publicKey), Buffer.from([0, 127, 0, 0, 1, 0x23, 0x28])]);
const names = [Buffer.from("stranger")];
const HANDSHAKE = Buffer.concat([Buffer.from([0, 1]), id, Buffer.from([1, names[0].length]), names[0],
    sign(null, Buffer.concat([id, ...names]), identity.privateKey)]);
const FIND_NODE = Buffer.concat([Buffer.from([4]), Buffer.alloc(32, 7)]);

// Calls `on_session` with a function that seals a payload into a record.
function session(on_session, on_close) {
    const pair = generateKeyPairSync("x25519");
    const socket = connect(Number(nodePort), "127.0.0.1", () => socket.write(rawKey(pair.publicKey)));
    let received = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("close", on_close);
    socket.on("data", (bytes) => {
        if (received.length >= 32) {
            return;
        }
        received = Buffer.concat([received, bytes]);
        if (received.length >= 32) {
            const publicKey = createPublicKey({ format: "der", type: "spki",
                key: Buffer.concat([X25519_PREFIX, received.subarray(0, 32)]) });
            const key = blake2b(32).update(diffieHellman({ privateKey: pair.privateKey, publicKey })).digest();
            let counter = 0n;
            on_session(socket, (seq, payload) => {
                const nonce = Buffer.alloc(12);
                const plain = Buffer.concat([Buffer.alloc(4), payload]);
                nonce.writeBigUInt64BE(counter++);
                plain.writeUInt32BE(seq);
                const cipher = createCipheriv("aes-256-gcm", key, nonce);
                const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
                const length = Buffer.alloc(4);
                length.writeUInt32BE(sealed.length);
                return Buffer.concat([length, sealed]);
            });
        }
    });
}

// Sends `packet` again and again, as fast as it is taken; closed, it comes again.
function repeat(packet) {
    session((socket, seal) => {
        let seq = 1;
        socket.write(seal(seq, HANDSHAKE));
        const send = () => {
            while (!socket.destroyed) {
                const records = [];
                for (let i = 0; i < 32; i++) {
                    seq += 2;
                    records.push(seal(seq, packet));
                }
                if (!socket.write(Buffer.concat(records))) {
                    socket.once("drain", send);
                    return;
                }
            }
        };
        send();
    }, () => setImmediate(repeat, packet));
}

// ---- the HTTP port

function client(on_connect, on_close) {
    const socket = connect(Number(httpPort), "127.0.0.1", () => on_connect(socket));
    socket.on("error", () => {});
    socket.on("close", on_close ?? (() => {}));
    return socket;
}

function writeAll(socket, next) {
    while (!socket.destroyed) {
        if (!socket.write(next())) {
            socket.once("drain", () => writeAll(socket, next));
            return;
        }
    }
}

function abortForEver() {
    client((socket) => {
        socket.write("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", () => socket.resetAndDestroy());
    }, abortForEver);
}

function sendLines() {
    const lines = Buffer.from("a: b\r\n".repeat(100));
    client((socket) => {
        socket.write("GET /hello HTTP/1.1\r\nHost: a\r\n");
        socket.resume();
        writeAll(socket, () => lines);
    }, sendLines);
}

function read(path) {
    client((socket) => {
        socket.pause();
        socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    }, () => read(path));
}

function resetStreams() {
    client((socket) => {
        const frames = floods["requests that are reset"]();
        socket.write(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1"));
        socket.resume();
        writeAll(socket, () => frames.next().value);
    }, resetStreams);
}

function open() {
    const socket = connect(Number(nodePort), "127.0.0.1");
    socket.on("error", () => {});
    socket.on("close", () => setTimeout(open, 10));
}

const KINDS = {
    "old Handshakes": [4, () => repeat(HANDSHAKE)],
    "FIND_NODE": [4, () => repeat(FIND_NODE)],
    "unproven connections": [2000, open],
    "aborted requests": [16, abortForEver],
    "header lines": [400, sendLines],
    "clients that do not read": [2000, () => read("/large")],
    "streams that are reset": [16, resetStreams],
    "nothing": [1, () => { const spin = () => { for (let i = 0; i < 1e6; i++); setImmediate(spin); }; spin(); }],
};
const [count, attack] = KINDS[kind];

for (let i = 0; i < count; i++) {
    attack();
}
console.log("attacking");
