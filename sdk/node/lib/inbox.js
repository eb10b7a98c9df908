"use strict";
/* Records of the addon (native/inbox.h): what has happened, many at once.
 *
 *     0: words   1: type   2: id   3: code   then by type; then bytes
 */
const { ID } = require("./kademlia");
const { Address, parseAddress } = require("./ip");
const { Head } = require("./headers");

const INBOX_LENGTH = 1 << 20;
const MAX_PEERS = 1024; // identities that are remembered
const NO_KEY_HOST = new Address([0, 0, 0, 0]);

const TYPES = Object.freeze({
    REQUEST: 1, RESPONSE: 2, READABLE: 3, WRITABLE: 4, TRAILERS: 5, END: 6, CANCELED: 7, DEADLINE: 8, FAILED: 9,
    PEER_UP: 11, PEER_DOWN: 12, PEER_GIVEN_UP: 13, PEERS_LOST: 14, DRAINED: 15, CLOSED: 16, LOG: 32,
});

const COMPLETE = 1;
const ASCII = 2;
const ANONYMOUS = 4;
const PROVEN = 8;

const KEY_WORDS = 8;

// The first word of what a REQUEST or a RESPONSE says of each header, and of a PEER's host.
const REQUEST_LENGTHS = 20;
const RESPONSE_LENGTHS = 9;
const PEER_WORDS = 17;

class Inbox {
    constructor() {
        this.memory = new ArrayBuffer(INBOX_LENGTH);
        this.bytes = Buffer.from(this.memory);
        this.words = new Uint32Array(this.memory);
        this.codes = new Int32Array(this.memory);
        this.peers = new Map();
    }

    // The bytes of a body, which stay when the next batch comes; null: none.
    body(at, length) {
        return length === 0 ? null : Buffer.from(this.bytes.subarray(at, at + length));
    }

    // The head of `n` headers whose lengths are from word `first` on, and whose bytes are at `at`.
    head(first, n, at, length, flags) {
        const lengths = new Array(2 * n);
        for (let i = 0; i < 2 * n; i++) {
            lengths[i] = this.words[first + i];
        }
        if (flags & ASCII) {
            return new Head(this.bytes.latin1Slice(at, at + length), lengths, null);
        }
        let from = at;
        return new Head("", lengths, lengths.map((len) => this.bytes.utf8Slice(from, (from += len))));
    }

    // The identity whose key is at word `key`. Nodes are few, so each is one object.
    peer(key, port, flags, hostAt, hostLength) {
        const from = 4 * key;
        const host = this.bytes.latin1Slice(hostAt, hostAt + hostLength);
        const kind = flags & (ANONYMOUS | PROVEN);
        const name = `${this.bytes.latin1Slice(from, from + 4 * KEY_WORDS)}${kind} ${port} ${host}`;
        let id = this.peers.get(name);
        if (id === undefined) {
            if (this.peers.size >= MAX_PEERS) {
                this.peers.clear();
            }
            id = makeId(Buffer.from(this.bytes.subarray(from, from + 4 * KEY_WORDS)), host, port, flags);
            this.peers.set(name, id);
        }
        return id;
    }

    // Tells `sink` each of the records in the first `n` bytes.
    each(n, sink) {
        const end = n / 4;
        for (let at = 0; at < end; at += this.words[at]) {
            this.#tell(at, sink);
        }
    }

    #tell(at, sink) {
        const type = this.words[at + 1];
        const id = this.words[at + 2];
        const code = this.codes[at + 3];
        switch (type) {
            case TYPES.REQUEST:
                return this.#request(at, id, sink);
            case TYPES.RESPONSE:
                return this.#response(at, id, sink);
            case TYPES.FAILED:
                return sink._onFailed(id, code, this.#text(at));
            case TYPES.LOG:
                return sink._onLog(code, this.#text(at));
            case TYPES.PEER_UP:
            case TYPES.PEER_DOWN:
            case TYPES.PEER_GIVEN_UP:
                return this.#peerEvent(at, type, sink);
            default:
                return sink._onEvent(type, id, code);
        }
    }

    #text(at) {
        const from = 4 * (at + 5);
        return this.bytes.utf8Slice(from, from + this.words[at + 4]);
    }

    #request(at, id, sink) {
        const { words } = this;
        const flags = words[at + 5];
        const n = words[at + 6];
        const hostAt = 4 * (at + REQUEST_LENGTHS + 2 * n);
        const headAt = hostAt + words[at + 19];
        const bodyAt = headAt + words[at + 7];
        sink._onRequest(id, words[at + 4], {
            head: this.head(at + REQUEST_LENGTHS, n, headAt, words[at + 7], flags),
            peer: this.peer(at + 11, words[at + 10], flags, hostAt, words[at + 19]),
            body: this.body(bodyAt, words[at + 8]),
            isComplete: (flags & COMPLETE) !== 0,
        });
    }

    #response(at, id, sink) {
        const { words } = this;
        const flags = words[at + 5];
        const n = words[at + 6];
        const headAt = 4 * (at + RESPONSE_LENGTHS + 2 * n);
        sink._onResponse(id, words[at + 4], {
            head: this.head(at + RESPONSE_LENGTHS, n, headAt, words[at + 7], flags),
            body: this.body(headAt + words[at + 7], words[at + 8]),
            isComplete: (flags & COMPLETE) !== 0,
        });
    }

    #peerEvent(at, type, sink) {
        const { words } = this;
        const id = this.peer(at + 6, words[at + 4], words[at + 5], 4 * (at + PEER_WORDS), words[at + 14]);
        sink._onPeer(type, (BigInt(words[at + 16]) << 32n) | BigInt(words[at + 15]), id);
    }
}

function makeId(key, host, port, flags) {
    const isAnonymous = (flags & ANONYMOUS) !== 0;
    const address = host === "" ? NO_KEY_HOST : parseAddress(host);
    return new ID(key, address, port, { isAnonymous, isProven: (flags & PROVEN) !== 0 });
}

module.exports = { Inbox, TYPES, makeId, ANONYMOUS, PROVEN };
