"use strict";
/* Bytes of an exchange, which is a request (Context) or a call (Call), over the addon. Nothing here waits:
 *
 *     read    ──▶ bytes, null at the end
 *             └─▶ undefined ──▶ exchange._onReadable(), once ──▶ read again
 *     write   ──▶ done(error), now or later: once all of it was taken, or cannot be
 *
 * An exchange has: _mesh (the addon's node), _rid (its id there, 0 when it is gone), _first (what of the body has come
 * with its head), _complete (there is no more behind that), _error (why it is gone), _onReadable, _onWritable;
 * _beforeWrite() (null, or why it cannot be written) and _onBodyEnd().
 */
const native = require("./native");
const { FlatendError, codes } = require("./errors");

const SLAB_LENGTH = 65536;
const PIECE_LENGTH = 65536; // of what is written at once: the mesh holds 256 KiB for a peer

let slab = null;

function takeSlab() {
    slab ??= Buffer.allocUnsafeSlow(SLAB_LENGTH);
    return slab;
}

// The `n` first bytes of the slab, which goes with them if they are most of it.
function cut(n) {
    if (n > SLAB_LENGTH / 2) {
        const bytes = slab.subarray(0, n);
        slab = null;
        return bytes;
    }
    return Buffer.from(slab.subarray(0, n));
}

// Some of the body, null at its end, undefined: nothing yet. Throws why there is no more.
function read(exchange) {
    if (exchange._first !== null) {
        const bytes = exchange._first;
        exchange._first = null;
        return bytes;
    }
    if (exchange._complete) {
        return null;
    }
    if (exchange._rid === 0) {
        throw exchange._error ?? new FlatendError(codes.ESTATE, "the request was answered before its body was read");
    }
    const n = native.read(exchange._mesh, exchange._rid, takeSlab());
    if (n > 0) {
        return cut(n);
    }
    if (n === codes.EAGAIN) {
        return undefined;
    }
    if (n < 0) {
        throw new FlatendError(n);
    }
    exchange._complete = true;
    exchange._onBodyEnd();
    return null;
}

// Waits until read has something to say.
function readable(exchange) {
    if (exchange._onReadable !== null) {
        throw new FlatendError(codes.ESTATE, "the body is being read already");
    }
    return new Promise((resolve) => {
        exchange._onReadable = resolve;
    });
}

// The same as read, waiting.
async function readNext(exchange) {
    let bytes;
    while ((bytes = read(exchange)) === undefined) {
        await readable(exchange);
    }
    return bytes;
}

function tooLarge(limit) {
    const error = new FlatendError(codes.ETOOBIG, `Exceeded max allowed body size limit of ${limit} byte(s).`);
    error.status = 413;
    return error;
}

// All of the body that is still to be read.
async function readAll(exchange, limit) {
    const chunks = [];
    let length = 0;
    let bytes;
    while ((bytes = await readNext(exchange)) !== null) {
        length += bytes.length;
        if (length > limit) {
            throw tooLarge(limit);
        }
        chunks.push(bytes);
    }
    return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length);
}

// Writes all of `bytes`.
function write(exchange, bytes, done) {
    let from = 0;
    const step = () => {
        const refused = exchange._beforeWrite();
        if (refused !== null) {
            done(refused);
            return;
        }
        while (from < bytes.length) {
            const to = Math.min(from + PIECE_LENGTH, bytes.length);
            const code = native.write(exchange._mesh, exchange._rid, bytes, from, to);
            if (code === codes.EAGAIN) {
                exchange._onWritable = step;
                return;
            }
            if (code !== 0) {
                done(exchange._error ?? new FlatendError(code));
                return;
            }
            from = to;
        }
        done(null);
    };
    step();
}

// The same as a promise.
function writeAll(exchange, bytes) {
    return new Promise((resolve, reject) => {
        write(exchange, bytes, (error) => (error ? reject(error) : resolve()));
    });
}

// The same bytes in fewer parts, where that takes no long copies.
function join(chunks) {
    const parts = [];
    let open = [];
    let length = 0;
    const close = () => {
        if (open.length > 0) {
            parts.push(open.length === 1 ? open[0] : Buffer.concat(open, length));
        }
        open = [];
        length = 0;
    };
    for (const chunk of chunks) {
        if (length + chunk.length > PIECE_LENGTH) {
            close();
        }
        open.push(chunk);
        length += chunk.length;
    }
    close();
    return parts;
}

// Calls who waits, once.
function wakeReader(exchange) {
    const resume = exchange._onReadable;
    exchange._onReadable = null;
    resume?.();
}

function wakeWriter(exchange) {
    const resume = exchange._onWritable;
    exchange._onWritable = null;
    resume?.();
}

module.exports = { join, read, readNext, readAll, readable, tooLarge, wakeReader, wakeWriter, write, writeAll };
