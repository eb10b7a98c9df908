"use strict";
// Identities of nodes, and a table of them by their distance.
const { Address } = require("./ip");

const KEY_LENGTH = 32;
const BUCKET_LENGTH = 16;

const UpdateResult = Object.freeze({
    New: 0, Ok: 1, Full: 2, Fail: 3,
    0: "New", 1: "Ok", 2: "Full", 3: "Fail",
});

class ID {
    constructor(publicKey, host, port, { isAnonymous = false, isProven = false } = {}) {
        this.publicKey = publicKey;
        this.host = host;
        this.port = port;
        this.isAnonymous = isAnonymous;
        this.isProven = isProven;
    }

    // "host:port"; "<anon>" of a node without a key.
    get addr() {
        if (this.isAnonymous) {
            return "<anon>";
        }
        const host = this.host.isIPv4MappedAddress?.() ? this.host.toIPv4Address() : this.host;
        return `${host}:${this.port}`;
    }

    // The public key, 0 and four bytes or 1 and sixteen, and the port.
    encode() {
        const host = this.host.toByteArray();
        const bytes = Buffer.from([...this.publicKey, host.length === 4 ? 0 : 1, ...host, 0, 0]);
        bytes.writeUInt16BE(this.port, bytes.length - 2);
        return bytes;
    }

    // What encode() has made: the ID, and what is behind it.
    static decode(bytes) {
        const kind = bytes.readUInt8(KEY_LENGTH);
        if (kind > 1) {
            throw new RangeError(`ID.decode: ${kind} is no kind of address`);
        }
        const at = KEY_LENGTH + 1;
        const end = at + (kind === 0 ? 4 : 16);
        const port = bytes.readUInt16BE(end);
        const key = Uint8Array.from(bytes.subarray(0, KEY_LENGTH));
        return [new ID(key, new Address(bytes.subarray(at, end)), port), bytes.subarray(end + 2)];
    }
}

// How many bits of `a` and `b` are the same before the first that is not.
function sharedBits(a, b) {
    const n = Math.min(a.length, b.length);
    for (let i = 0; i < n; i++) {
        if (a[i] !== b[i]) {
            return 8 * i + Math.clz32(a[i] ^ b[i]) - 24;
        }
    }
    return 8 * n;
}

const same = (a, b) => Buffer.compare(a, b) === 0;

// Orders two keys by their distance to `target`.
function compareDistance(a, b, target) {
    for (let i = 0; i < target.length; i++) {
        const difference = (a[i] ^ target[i]) - (b[i] ^ target[i]);
        if (difference !== 0) {
            return difference;
        }
    }
    return 0;
}

class Table {
    constructor(pub = Buffer.alloc(KEY_LENGTH)) {
        this.pub = pub;
        this.cap = BUCKET_LENGTH;
        this.length = 0;
        this.buckets = Array.from({ length: 8 * KEY_LENGTH }, () => []);
    }

    #bucket(pub) {
        const shared = sharedBits(pub, this.pub);
        return this.buckets[shared === 8 * KEY_LENGTH ? 0 : shared];
    }

    #find(pub) {
        const bucket = this.#bucket(pub);
        return { bucket, at: bucket.findIndex((id) => same(id.publicKey, pub)) };
    }

    // Puts `id` first in its bucket.
    update(id) {
        if (same(id.publicKey, this.pub)) {
            return UpdateResult.Fail;
        }
        const { bucket, at } = this.#find(id.publicKey);
        if (at >= 0) {
            bucket.unshift(...bucket.splice(at, 1));
            return UpdateResult.Ok;
        }
        if (bucket.length >= this.cap) {
            return UpdateResult.Full;
        }
        bucket.unshift(id);
        this.length++;
        return UpdateResult.New;
    }

    delete(pub) {
        const { bucket, at } = this.#find(pub);
        if (at < 0) {
            return false;
        }
        bucket.splice(at, 1);
        this.length--;
        return true;
    }

    has(pub) {
        return this.#find(pub).at >= 0;
    }

    // At most `k` IDs, the closest to `pub` first, without that of `pub` itself.
    closestTo(pub, k = this.cap) {
        const others = this.buckets.flat().filter((id) => !same(id.publicKey, pub));
        return others.sort((a, b) => compareDistance(a.publicKey, b.publicKey, pub)).slice(0, k);
    }
}

module.exports = { ID, Table, UpdateResult };
