"use strict";
/* A request, and its response.
 *
 *     OPEN ─┬─▶ STREAMING: the head has left ──────────────┬─▶ DONE: the id is gone
 *           ├─▶ ENDED: the whole of it waits for space ────┤
 *           └─▶ answered in one call, failed or canceled ──┘
 */
const { Duplex } = require("node:stream");
const native = require("./native");
const { FlatendError, codes, lateWrite } = require("./errors");
const { debug } = require("./debug");
const { IncomingRequest } = require("./request");
const headers = require("./headers");
const transfer = require("./transfer");
const source = require("./source");

const OPEN = 0;
const STREAMING = 1;
const ENDED = 2;
const DONE = 3;

const WHOLE_LENGTH = 262144; // a longer body goes in pieces, as its reader takes it
const DEFAULT_FAILURE = 500;
const NO_CONTENT = new Set([204, 205, 304]);

class Context extends IncomingRequest {
    constructor(node, id, service, head, peer) {
        super(node, id, service, head, peer);
        this._state = OPEN;
        this._isTouched = false; // written, piped or ended by the handler
        this._status = 200;
        this._out = null;
        this._outTrailers = null;
        this._onWritable = null;
        this._onFlushed = null;
        this._source = null;
    }

    // ---- the head of the response ----

    get headersSent() {
        return this._state !== OPEN;
    }

    get statusCode() {
        return this._status;
    }

    set statusCode(status) {
        this.status(status);
    }

    status(status) {
        if (!Number.isInteger(status) || status < 200 || status > 599) {
            throw new TypeError("Context.status: status must be an integer from 200 to 599");
        }
        if (this.#mayChangeHead("status")) {
            this._status = status;
        }
        return this;
    }

    header(name, value) {
        if (name === ":status") {
            return this.status(Number(value)); // as nodes of 2020 say it
        }
        const checked = [];
        headers.append(checked, "Context.header", name, value);
        if (this.#mayChangeHead(name)) {
            this._out ??= [];
            headers.remove(this._out, checked[0] ?? name.toLowerCase());
            this._out.push(...checked);
        }
        return this;
    }

    append(name, value) {
        const checked = [];
        headers.append(checked, "Context.append", name, value);
        if (this.#mayChangeHead(name)) {
            (this._out ??= []).push(...checked);
        }
        return this;
    }

    trailer(name, value) {
        headers.append((this._outTrailers ??= []), "Context.trailer", name, value);
        return this;
    }

    // "Any other headers set after the first call are ignored."
    #mayChangeHead(what) {
        if (this._state !== OPEN) {
            debug(`${this.service}: "${what}" was set after the head of the response had left.`);
            return false;
        }
        return true;
    }

    _setType(type) {
        if (this._out === null) {
            this._out = ["content-type", type];
        } else if (!headers.has(this._out, "content-type")) {
            this._out.push("content-type", type);
        }
    }

    // ---- the response ----

    send(data) {
        this.end(data);
    }

    json(value) {
        const text = JSON.stringify(value);
        if (text === undefined) {
            throw new TypeError("Context.json: the value has no JSON");
        }
        this._setType("application/json");
        this.end(text);
    }

    // An error for the requester: {"error": message}.
    fail(status, message) {
        this.#fail(native.fail, status, message);
    }

    // The same as RFC 9457 has it.
    problem(status, message) {
        this.#fail(native.problem, status, message);
    }

    #fail(send, status, message) {
        if (!Number.isInteger(status) || status < 200 || status > 599) {
            throw new TypeError("Context.fail: status must be an integer from 200 to 599");
        }
        this._isTouched = true;
        if (this._rid !== 0 && this._state !== DONE) {
            const text = message === undefined ? `status ${status}` : String(message);
            send(this._mesh, this._rid, status, text);
            this._leave(null, true);
        }
    }

    // Nothing more may be written.
    get #hasEnded() {
        return this._state >= ENDED || (this._ws !== undefined && this.writableEnded);
    }

    write(chunk, encoding, callback) {
        this._isTouched = true;
        if (this.#hasEnded) {
            return this.#writeLate(typeof encoding === "function" ? encoding : callback);
        }
        return Duplex.prototype.write.call(this, chunk, encoding, callback);
    }

    // The response is what it is: neither it nor the process ends for a late write.
    #writeLate(callback) {
        const error = this._error ?? lateWrite();
        debug(`${this.service}: ${error.message}.`);
        process.nextTick(() => {
            callback?.(error);
            if (this.listenerCount("error") > 0) {
                this.emit("error", error);
            }
        });
        return false;
    }

    end(chunk, encoding, callback) {
        const done = [chunk, encoding, callback].find((argument) => typeof argument === "function");
        const data = typeof chunk === "function" ? undefined : chunk ?? undefined;
        const isFirst = !this._isTouched && this._state === OPEN;
        this._isTouched = true;
        if (this.#hasEnded) {
            if (data !== undefined || done !== undefined) {
                this.#writeLate(done);
            }
            return this;
        }
        if (isFirst && this.#endWhole(data, encoding)) {
            if (this._rs !== undefined || done !== undefined) {
                Duplex.prototype.end.call(this, done);
            }
            return this;
        }
        Duplex.prototype.end.call(this, data, typeof encoding === "string" ? encoding : undefined, done);
        return this;
    }

    // In one call, if it is short and nothing was written before.
    #endWhole(data, encoding) {
        let body = data ?? null;
        if (typeof body === "string") {
            if (typeof encoding === "string" && !/^utf-?8$/i.test(encoding)) {
                body = Buffer.from(body, encoding);
            }
        } else if (body !== null) {
            body = source.toBytes(body);
        }
        if (this._outTrailers !== null || (body !== null && body.length > WHOLE_LENGTH)) {
            return false;
        }
        this.#setLength(body);
        this.#respond(body);
        return true;
    }

    // So that clients see how long it is before it has come (RFC 9110 §8.6).
    #setLength(body) {
        if (body === null || NO_CONTENT.has(this._status)) {
            return;
        }
        const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
        if (this._out === null) {
            this._out = ["content-length", String(length)];
        } else if (!headers.has(this._out, "content-length")) {
            this._out.push("content-length", String(length));
        }
    }

    #respond(body) {
        const code = native.respond(this._mesh, this._rid, this._status, this._out, body);
        if (code === codes.EAGAIN) {
            this._state = ENDED;
            this._onWritable = () => this.#respondAgain(body);
        } else if (code === codes.ETOOBIG || code === codes.EINVAL || code === codes.ESTATE) {
            this._isTouched = false; // nothing was sent, so that the error can be
            throw new FlatendError(code);
        } else {
            this._leave(code === 0 ? null : new FlatendError(code), code !== 0);
        }
    }

    #respondAgain(body) {
        try {
            this.#respond(body);
        } catch (error) {
            this.destroy(error);
        }
    }

    // Piece by piece, as the requester takes it.
    _sendSource(pieces) {
        this._isTouched = true;
        return source.pump(this, pieces).then(() => this.#endPumped());
    }

    #endPumped() {
        let failure = null;
        this.#finish((error) => {
            failure = error;
        });
        if (this._rs !== undefined) {
            Duplex.prototype.end.call(this);
        }
        if (failure !== null) {
            throw failure;
        }
    }

    // What a handler has thrown.
    _reject(error) {
        if (this._state >= ENDED) {
            debug(`${this.service}: an error behind the response: ${error?.message ?? error}`);
            return;
        }
        const status = error?.status ?? error?.statusCode;
        const isStatus = Number.isInteger(status) && status >= 400 && status <= 599;
        this.fail(isStatus ? status : DEFAULT_FAILURE, error?.message ?? String(error));
    }

    // ---- the streams under it ----

    // The head leaves with the first bytes.
    _beforeWrite() {
        if (this._rid === 0) {
            return this._error ?? lateWrite();
        }
        if (this._state !== OPEN) {
            return null;
        }
        const code = native.head(this._mesh, this._rid, this._status, this._out);
        if (code !== 0) {
            return new FlatendError(code);
        }
        this._state = STREAMING;
        return null;
    }

    _onMaterialized() {
        this.on("pipe", () => {
            this._isTouched = true;
        });
        if (this._state >= ENDED) {
            Duplex.prototype.end.call(this);
        }
        if (this._error !== null) {
            this.destroy(this._error);
        }
    }

    // An error of a listener is an error of the handler.
    emit(event, ...args) {
        try {
            return super.emit(event, ...args);
        } catch (error) {
            this._reject(error);
            return true;
        }
    }

    _read() {
        try {
            const bytes = transfer.read(this);
            if (bytes === undefined) {
                this._onReadable = () => this._read();
            } else {
                this.push(bytes);
            }
        } catch (error) {
            this.destroy(error);
        }
    }

    _write(chunk, encoding, callback) {
        transfer.write(this, chunk, callback);
    }

    // Small chunks go together, large ones one behind the other.
    _writev(chunks, callback) {
        const parts = transfer.join(chunks.map(({ chunk }) => chunk));
        let i = 0;
        const next = (error) => {
            if (error || i === parts.length) {
                callback(error);
            } else {
                transfer.write(this, parts[i++], next);
            }
        };
        next(null);
    }

    _final(callback) {
        if (this._state >= ENDED) {
            if (this._state === ENDED) {
                this._onFlushed = callback;
            } else {
                callback();
            }
            return;
        }
        this.#finish(callback);
    }

    #finish(callback) {
        const failure = this._beforeWrite();
        if (failure !== null) {
            callback(failure);
            return;
        }
        for (let i = 0; i < (this._outTrailers?.length ?? 0); i += 2) {
            native.addTrailer(this._mesh, this._rid, this._outTrailers[i], this._outTrailers[i + 1]);
        }
        const code = native.finish(this._mesh, this._rid);
        const error = code === 0 ? null : new FlatendError(code);
        this._leave(error, false);
        callback(error);
        if (this._rs !== undefined) {
            process.nextTick(() => this.#closeUnread());
        }
    }

    // What of the request nobody has read will not be read any more.
    #closeUnread() {
        if (!this._complete && this.readableFlowing === null && !this.readableDidRead) {
            this.destroy();
        }
    }

    _destroy(error, callback) {
        if (this._rid !== 0 && this._state < DONE) {
            native.fail(this._mesh, this._rid, DEFAULT_FAILURE, error?.message ?? "the response was given up");
            this._leave(null, true);
        }
        callback(error);
    }

    // ---- how it ends ----

    // The id is gone. `error`: why the requester does not get (all of) the response. `isAborted`: it is not complete.
    _leave(error, isAborted) {
        this._node._forget(this._rid);
        this._rid = 0;
        this._state = DONE;
        if (error !== null) {
            this._error ??= error;
            this._abort?.abort(error);
        }
        if (isAborted) {
            this._source?.cancel(error ?? lateWrite());
        }
        transfer.wakeReader(this);
        transfer.wakeWriter(this);
        const flushed = this._onFlushed;
        this._onFlushed = null;
        flushed?.(error);
        if (this._rs && isAborted) {
            this.destroy(error ?? undefined);
        }
    }

    // The requester does not want it any more, or the node has closed.
    _cancel(code, isIdGone = false) {
        if (this._state === DONE) {
            return;
        }
        if (!isIdGone) {
            native.finish(this._mesh, this._rid);
        }
        this._leave(new FlatendError(code), true);
    }
}

module.exports = { Context };
