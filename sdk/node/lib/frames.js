"use strict";
// Helpers for streams that the package of 2020 had.
const { once } = require("node:events");

// Waits until `writable` takes more; rejects if it closes before.
async function drain(writable) {
    if (writable.destroyed) {
        throw new Error("premature close");
    }
    const stop = new AbortController();
    const closed = once(writable, "close", { signal: stop.signal }).then(() => {
        throw new Error("premature close");
    });
    const drained = once(writable, "drain", { signal: stop.signal });
    try {
        await Promise.race([drained, closed]);
    } finally {
        drained.catch(() => {});
        closed.catch(() => {});
        stop.abort();
    }
}

// The bytes of `src`, and their number as four bytes before them.
function prefixLength(src) {
    const data = Buffer.isBuffer(src) ? src : Buffer.from(src);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(data.length);
    return Buffer.concat([header, data]);
}

// What prefixLength has made, out of pieces of any length.
async function* lengthPrefixed(stream) {
    let rest = Buffer.alloc(0);
    for await (const data of stream) {
        rest = Buffer.concat([rest, data]);
        while (rest.length >= 4 && rest.length - 4 >= rest.readUInt32BE(0)) {
            const end = 4 + rest.readUInt32BE(0);
            yield rest.subarray(4, end);
            rest = rest.subarray(end);
        }
    }
}

module.exports = { drain, lengthPrefixed, prefixLength };
