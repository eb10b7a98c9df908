"use strict";
// The addon by itself, as its tests see it: records become objects, and what comes can be waited for.
const { existsSync } = require("node:fs");
const { join } = require("node:path");

const built = join(__dirname, "..", "..", "..", "build", "sdk", "node", "flatend.node");
const path = process.env.FLATEND_NODE_ADDON || (existsSync(built) ? built : "../build/flatend.node");
const addon = require(path);

const REQUEST = 1;
const RESPONSE = 2;
const READABLE = 3;
const WRITABLE = 4;
const TRAILERS = 5;
const END = 6;
const CANCELED = 7;
const DEADLINE = 8;
const FAILED = 9;
const PEER_UP = 11;
const PEER_DOWN = 12;
const DRAINED = 15;
const CLOSED = 16;
const LOG = 32;

const ESTATE = -3;
const EAGAIN = -4;

const WAIT_MS = 20000; // what is waited for comes at once, or the test fails

function head(words, bytes, at, first, n) {
    const pairs = [];
    for (let i = 0; i < n; i++) {
        const name = bytes.subarray(at, (at += words[first + 2 * i])).toString();
        pairs.push([name, bytes.subarray(at, (at += words[first + 2 * i + 1])).toString()]);
    }
    return { pairs, at };
}

function flags(bits) {
    return {
        isComplete: (bits & 1) !== 0,
        isAscii: (bits & 2) !== 0,
        isAnonymous: (bits & 4) !== 0,
        isProven: (bits & 8) !== 0,
    };
}

function decodeRequest(record, words, bytes) {
    const first = 20 + 2 * words[6];
    const host = bytes.subarray(4 * first, 4 * first + words[19]).toString();
    const { pairs, at } = head(words, bytes, 4 * first + words[19], 20, words[6]);
    return Object.assign(record, flags(words[5]), {
        service: words[4],
        headers: pairs,
        remaining: words[9],
        port: words[10],
        publicKey: Buffer.from(bytes.subarray(44, 76)),
        host,
        body: Buffer.from(bytes.subarray(at, at + words[8])),
    });
}

function decodeResponse(record, words, bytes) {
    const { pairs, at } = head(words, bytes, 4 * (9 + 2 * words[6]), 9, words[6]);
    return Object.assign(record, flags(words[5]), {
        status: words[4],
        headers: pairs,
        body: Buffer.from(bytes.subarray(at, at + words[8])),
    });
}

function decodePeer(record, words, bytes) {
    return Object.assign(record, flags(words[5]), {
        port: words[4],
        publicKey: Buffer.from(bytes.subarray(24, 56)),
        host: bytes.subarray(68, 68 + words[14]).toString(),
        handle: bytes.readBigUInt64LE(60),
    });
}

function decode(words, bytes) {
    const record = { type: words[1], id: words[2], code: words[3] | 0 };
    switch (record.type) {
        case REQUEST:
            return decodeRequest(record, words, bytes);
        case RESPONSE:
            return decodeResponse(record, words, bytes);
        case PEER_UP:
        case PEER_DOWN:
            return decodePeer(record, words, bytes);
        case LOG:
            record.text = bytes.subarray(20, 20 + words[4]).toString();
            return record;
        default:
            return record;
    }
}

// A node whose records are kept until somebody waits for them, or go to `handler` if that wants them
// (it returns true).
class NativeNode {
    constructor(options = {}, handler = () => false, inboxLength = 1 << 20) {
        this.inbox = new Uint8Array(inboxLength);
        this.words = new Uint32Array(this.inbox.buffer);
        this.records = [];
        this.waiting = [];
        this.handler = handler;
        this.batches = [];
        this.node = addon.create(options, this.inbox, (n) => this.onBatch(n));
        for (const name of Object.keys(addon)) {
            this[name] ??= (...args) => addon[name](this.node, ...args);
        }
    }

    onBatch(n) {
        let at = 0;
        let count = 0;
        while (at < n) {
            const length = 4 * this.words[at / 4];
            const record = decode(this.words.subarray(at / 4, (at + length) / 4),
                Buffer.from(this.inbox.buffer, at, length));
            at += length;
            count++;
            if (!this.handler(record, this)) {
                this.records.push(record);
            }
        }
        this.batches.push(count);
        this.settle();
    }

    settle() {
        for (const waiter of [...this.waiting]) {
            const i = this.records.findIndex(waiter.matches);
            if (i >= 0) {
                this.waiting.splice(this.waiting.indexOf(waiter), 1);
                waiter.resolve(this.records.splice(i, 1)[0]);
            }
        }
    }

    // The next record of a type, or of one of several, and if `id` is given of that.
    next(type, id) {
        const types = [type].flat();
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(`no record of type ${type}`)), WAIT_MS);
            this.waiting.push({
                matches: (record) => types.includes(record.type) && (id === undefined || record.id === id),
                resolve: (record) => {
                    clearTimeout(timer);
                    resolve(record);
                },
            });
            this.settle();
        });
    }

    // Reads all of a body, behind what its record had.
    async readAll(record) {
        const pieces = [record.body];
        const piece = new Uint8Array(65536);
        for (;;) {
            const n = this.read(record.id, piece);
            if (n === 0) {
                return Buffer.concat(pieces);
            }
            if (n > 0) {
                pieces.push(Buffer.from(piece.subarray(0, n)));
            } else if (n === EAGAIN) {
                await this.next(READABLE, record.id);
            } else {
                throw Object.assign(new Error(addon.errorText(n)), { code: n });
            }
        }
    }

    async writeAll(id, bytes, step = 65536) {
        for (let from = 0; from < bytes.length; ) {
            const to = Math.min(from + step, bytes.length);
            const code = this.write(id, bytes, from, to);
            if (code === 0) {
                from = to;
            } else if (code === EAGAIN) {
                await this.next(WRITABLE, id);
            } else {
                throw Object.assign(new Error(addon.errorText(code)), { code });
            }
        }
    }
}

// Nodes of a test, in one mesh; all of them are shut down behind it.
async function mesh(t, services, handler) {
    const server = new NativeNode(
        { secretKey: addon.generateSecretKey(), bindAddrs: ["127.0.0.1:0"], services }, handler);
    const client = new NativeNode();
    t.after(() => Promise.all([server.shutdown(), client.shutdown()]));
    await server.start([]);
    await client.start([server.listenAddr(0)]);
    return { server, client, addr: server.listenAddr(0) };
}

module.exports = {
    addon, path, NativeNode, mesh, WAIT_MS,
    REQUEST, RESPONSE, READABLE, WRITABLE, TRAILERS, END, CANCELED, DEADLINE, FAILED, PEER_UP, PEER_DOWN,
    DRAINED, CLOSED, LOG, ESTATE, EAGAIN,
};
