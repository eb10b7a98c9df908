"use strict";
/* A request, and its response.
 *
 *     OPEN ──▶ STREAMING (the head has left) ──▶ ENDED (all was given) ──▶ DONE (its id is gone)
 *       └──────────────────────────────────────────┴──▶ DONE: answered in one call, failed, or canceled
 */
const { Duplex } = require("node:stream");
const native = require("./native");
const { FlatendError, codes } = require("./errors");
const { debug } = require("./debug");
const { LazyDuplex } = require("./lazy_duplex");
const headers = require("./headers");
const transfer = require("./transfer");
const source = require("./source");
const { parseCookies } = require("./cookies");

const OPEN = 0;
const STREAMING = 1;
const ENDED = 2;
const DONE = 3;

const WHOLE_LENGTH = 262144; // a longer body goes in pieces, as its reader takes it
const DEFAULT_FAILURE = 500;
const NO_CONTENT = new Set([204, 205, 304]);
const NO_TIME_LIMIT = 4294967295;

class Context extends LazyDuplex {
    constructor(node, id, service, head, peer) {
        super();
        this._node = node;
        this._mesh = node._mesh;
        this._rid = id;
        this._service = service;
        this._head = head;
        this._peer = peer;
        this._first = null;
        this._complete = false;
        this._state = OPEN;
        this._isTouched = false; // written, piped or ended by the handler
        this._status = 200;
        this._out = null;
        this._outTrailers = null;
        this._inTrailers = null;
        this._error = null;
        this._onReadable = null;
        this._onWritable = null;
        this._onFlushed = null;
        this._source = null;
        this._abort = null;
        this._bodyPromise = null;
    }

    // ---- the request ----

    get id() {
        return this._peer;
    }

    get node() {
        return this._node;
    }

    get service() {
        return this._service.name;
    }

    get headers() {
        return this._head.object;
    }

    get rawHeaders() {
        return this._head.flat;
    }

    headersAll(name) {
        return this._head.all(name);
    }

    get method() {
        return this._head.object[":method"];
    }

    get path() {
        return this._head.object[":path"];
    }

    get params() {
        return (this._params ??= this._head.under("params."));
    }

    get query() {
        return (this._query ??= this._head.under("query."));
    }

    get cookies() {
        return (this._cookies ??= parseCookies(this._head.object.cookie));
    }

    get trailers() {
        if (this._inTrailers === null && this._complete && this._rid !== 0) {
            this._onBodyEnd();
        }
        return this._inTrailers ?? {};
    }

    get remaining() {
        if (this._rid === 0) {
            return 0;
        }
        const ms = native.remaining(this._mesh, this._rid);
        return ms >= NO_TIME_LIMIT ? Infinity : ms;
    }

    get isCanceled() {
        return this._error !== null;
    }

    get signal() {
        if (this._abort === null) {
            this._abort = new AbortController();
            if (this._error !== null) {
                this._abort.abort(this._error);
            }
        }
        return this._abort.signal;
    }

    // ---- its body ----

    // With an object, the promise of the whole body; else the read of streams.
    read(options) {
        if (options !== null && typeof options === "object") {
            return this.body(options);
        }
        return Duplex.prototype.read.call(this, options);
    }

    body(options) {
        const limit = options?.limit ?? this._service.limit;
        if (typeof limit !== "number" || !(limit >= 0)) {
            return Promise.reject(new TypeError("Context.body: limit must be a number of bytes"));
        }
        return (this._bodyPromise ??= this.#collect(limit));
    }

    async #collect(limit) {
        if (this._rs === undefined) {
            return transfer.readAll(this, limit);
        }
        const chunks = [];
        let length = 0;
        for await (const chunk of this) {
            const bytes = source.toBytes(chunk);
            length += bytes.length;
            if (length > limit) {
                throw transfer.tooLarge(limit);
            }
            chunks.push(bytes);
        }
        return Buffer.concat(chunks, length);
    }

    // Ends with the body, and leaves the response as it is: the iterator of streams would destroy that.
    async *[Symbol.asyncIterator]() {
        if (this._rs !== undefined) {
            yield* Duplex.prototype.iterator.call(this, { destroyOnReturn: false });
            return;
        }
        let bytes;
        while ((bytes = await transfer.readNext(this)) !== null) {
            yield bytes;
        }
    }

    _onBodyEnd() {
        this._inTrailers = headers.toObject(native.trailers(this._mesh, this._rid));
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

    #setType(type) {
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
        this.#setType("application/json");
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

    write(chunk, encoding, callback) {
        this._isTouched = true;
        if (this._state >= ENDED) {
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
        if (this._state >= ENDED) {
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
            this._onWritable = () => this.#respond(body);
            return;
        }
        if (code === codes.ETOOBIG || code === codes.EINVAL || code === codes.ESTATE) {
            this._isTouched = false; // nothing was sent, so that the error can be
            throw new FlatendError(code);
        }
        this._leave(code === 0 ? null : new FlatendError(code), code !== 0);
    }

    // What a handler has returned.
    _settle(value) {
        if (value === undefined || value === this || typeof value === "boolean" || this._isTouched ||
            this._state === DONE || source.isAccident(value)) {
            return undefined;
        }
        if (typeof value === "string") {
            this.#setType("text/plain; charset=utf-8");
            return this.end(value);
        }
        if (source.isBytes(value)) {
            this.#setType("application/octet-stream");
            return this.end(value);
        }
        if (source.isResponse(value)) {
            return this.#sendResponse(value);
        }
        const body = source.toSource(value);
        return body === null ? this.json(value) : this.#sendSource(body);
    }

    #sendSource(body) {
        this._isTouched = true;
        return source.pump(this, body).then(() => this.#endPumped());
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

    // A Response of fetch.
    #sendResponse(response) {
        this.status(response.status);
        response.headers.forEach((value, name) => {
            if (name !== "set-cookie") {
                this.header(name, value);
            }
        });
        for (const cookie of response.headers.getSetCookie?.() ?? []) {
            this.append("set-cookie", cookie);
        }
        return response.body ? this.#sendSource(source.toSource(response.body)) : this.end();
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

    _writev(chunks, callback) {
        const bytes = chunks.length === 1 ? chunks[0].chunk : Buffer.concat(chunks.map(({ chunk }) => chunk));
        transfer.write(this, bytes, callback);
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

Object.defineProperty(Context.prototype, "_isExchange", { value: true });

function lateWrite() {
    const error = new Error("write after end");
    error.code = "ERR_STREAM_WRITE_AFTER_END";
    return error;
}

module.exports = { Context };
