"use strict";
// What a body may be given as: whole, or a source of pieces.
const { writeAll } = require("./transfer");

// Bytes of what a piece may be.
function toBytes(chunk) {
    if (chunk instanceof Uint8Array) {
        return chunk;
    }
    if (typeof chunk === "string") {
        return Buffer.from(chunk);
    }
    if (ArrayBuffer.isView(chunk)) {
        return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
    if (chunk instanceof ArrayBuffer || (typeof SharedArrayBuffer === "function" && chunk instanceof SharedArrayBuffer)) {
        return new Uint8Array(chunk);
    }
    throw new TypeError(`a body is made of strings and bytes, not of ${chunk === null ? "null" : typeof chunk}`);
}

function isBytes(value) {
    return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function fromReader(reader) {
    return {
        next: () => reader.read(),
        cancel: (error) => reader.cancel(error).catch(() => {}),
    };
}

function fromIterator(value, iterator) {
    return {
        next: async () => iterator.next(),
        cancel(error) {
            if (typeof value.destroy === "function") {
                value.on?.("error", () => {}); // who listens was told by the exchange
                value.destroy(error);
            } else {
                Promise.resolve(iterator.return?.()).catch(() => {});
            }
        },
    };
}

// A stream, an async iterator, a generator; null if `value` is none of them.
function toSource(value) {
    if (value === null || typeof value !== "object") {
        return null;
    }
    if (typeof value.getReader === "function") {
        return fromReader(value.getReader());
    }
    if (typeof value[Symbol.asyncIterator] === "function") {
        return fromIterator(value, value[Symbol.asyncIterator]());
    }
    if (typeof value[Symbol.iterator] === "function" && typeof value.next === "function") {
        return fromIterator(value, value[Symbol.iterator]());
    }
    if (typeof value.stream === "function" && typeof value.arrayBuffer === "function") {
        return fromReader(value.stream().getReader()); // a Blob
    }
    return null;
}

// Writes all that `source` gives, at the speed of whoever reads it.
async function pump(exchange, source) {
    exchange._source = source;
    try {
        for (;;) {
            const { done, value } = await source.next();
            if (done) {
                return;
            }
            await writeAll(exchange, toBytes(value));
        }
    } catch (error) {
        source.cancel(error);
        throw error;
    } finally {
        exchange._source = null;
    }
}

// The other way round: a stream of the web. `next` promises bytes, null at the end; `cancel` says that no more are wanted.
function toWebStream(next, cancel) {
    return new ReadableStream({
        type: "bytes",
        async pull(controller) {
            let bytes;
            do {
                bytes = await next();
            } while (bytes !== null && bytes.length === 0);
            if (bytes === null) {
                controller.close();
                controller.byobRequest?.respond(0);
            } else {
                controller.enqueue(new Uint8Array(bytes)); // its memory is transferred
            }
        },
        cancel,
    });
}

// Things that handlers return by accident: timers, emitters, functions.
function isAccident(value) {
    if (typeof value === "function" || typeof value === "symbol") {
        return true;
    }
    return typeof value === "object" && value !== null && value[Symbol.asyncIterator] === undefined &&
        (typeof value.hasRef === "function" || typeof value.emit === "function");
}

function isResponse(value) {
    return typeof value === "object" && value !== null && typeof value.status === "number" &&
        typeof value.headers?.get === "function" && typeof value.arrayBuffer === "function";
}

module.exports = { isAccident, isBytes, isResponse, pump, toBytes, toSource, toWebStream };
