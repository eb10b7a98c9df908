"use strict";
/* A request to another node, and its response.
 *
 *     the call is sent ──▶ RESPONSE ──▶ its body is read ──▶ its trailers are kept, the id is given back
 *         └───────────────────┴──▶ FAILED, the signal, close(): the id is given back, who waits is told why
 */
const { Readable } = require("node:stream");
const native = require("./native");
const { FlatendError, codes } = require("./errors");
const { has, toFlat, toObject } = require("./headers");
const transfer = require("./transfer");
const source = require("./source");

const MAX_TIMEOUT_MS = 4294967295;
const EMPTY = Buffer.alloc(0);

class Call {
    constructor(node, id, services) {
        this._node = node;
        this._mesh = node._mesh;
        this._rid = id;
        this._services = services;
        this._first = null;
        this._complete = false;
        this._error = null;
        this._onReadable = null;
        this._onWritable = null;
        this._source = null;
        this._inTrailers = {};
        this._signal = null;
        this._onAbort = null;
        this._answer = new Promise((resolve, reject) => {
            this._resolve = resolve;
            this._reject = reject;
        });
        node._remember(id, this);
    }

    // Null, or why it cannot be written.
    _beforeWrite() {
        return this._rid === 0 ? this._error ?? new FlatendError(codes.ECLOSED, "the call has ended") : null;
    }

    _listen(signal) {
        this._signal = signal;
        this._onAbort = () => this._end(signal.reason);
        signal.addEventListener("abort", this._onAbort, { once: true });
    }

    async _send(body, trailers) {
        try {
            await source.pump(this, body);
            this.#addTrailers(trailers);
            native.endBody(this._mesh, this._rid);
        } catch (error) {
            this._end(error); // unless the provider has answered without it, and is read
        }
    }

    #addTrailers(trailers) {
        const flat = toFlat("Node.call: trailers", typeof trailers === "function" ? trailers() : trailers);
        for (let i = 0; i < flat.length; i += 2) {
            const code = native.addTrailer(this._mesh, this._rid, flat[i], flat[i + 1]);
            if (code !== 0) {
                throw new FlatendError(code, `the trailer "${flat[i]}": ${native.errorText(code)}`);
            }
        }
    }

    // A record RESPONSE.
    _onResponse(status, head, first, isComplete) {
        this._first = first;
        this._complete = isComplete;
        const response = new CallResponse(this, status, head);
        if (isComplete) {
            this._onBodyEnd();
        } else {
            unread.register(response, this, this);
        }
        this._settle(response, null);
    }

    // Whoever waits has the response then, and nobody else: it can be collected.
    _settle(response, error) {
        if (this._answer === null) {
            return;
        }
        if (error === null) {
            this._resolve(response);
        } else {
            this._reject(error);
        }
        this._answer = null;
        this._resolve = null;
        this._reject = null;
    }

    _onBodyEnd() {
        this._inTrailers = toObject(native.trailers(this._mesh, this._rid));
        this._leave();
    }

    _onFailed(code, text) {
        this._end(failure(code, text, this._services));
    }

    // Gives the id back.
    _leave() {
        if (this._rid !== 0) {
            native.close(this._mesh, this._rid);
            this._node._forget(this._rid);
            this._rid = 0;
        }
        this._signal?.removeEventListener("abort", this._onAbort);
        this._signal = null;
        transfer.wakeWriter(this);
    }

    // Ends it before its end.
    _end(error) {
        if (this._rid === 0) {
            return;
        }
        this._error = error;
        this._leave();
        unread.unregister(this);
        this._source?.cancel(error);
        this._settle(null, error);
        transfer.wakeReader(this);
    }

    _cancel(code) {
        this._end(new FlatendError(code));
    }
}

// Responses that nobody reads give their calls back when they are collected.
const unread = new FinalizationRegistry((call) => {
    call._end(new FlatendError(codes.ECANCELED, "the response was not read"));
});

class CallResponse {
    #call;
    #head;
    #stream = null;
    #bytes = null;

    constructor(call, status, head) {
        this.#call = call;
        this.#head = head;
        this.status = status;
    }

    get ok() {
        return this.status >= 200 && this.status < 300;
    }

    get headers() {
        return this.#head.object;
    }

    get rawHeaders() {
        return this.#head.flat;
    }

    headersAll(name) {
        return this.#head.all(name);
    }

    // Those that came behind the body, once that was read.
    get trailers() {
        return this.#call._inTrailers;
    }

    bytes(options) {
        return (this.#bytes ??= this.#readAll(options?.limit ?? Infinity));
    }

    async #readAll(limit) {
        unread.unregister(this.#call); // it is read, whoever still has the response
        try {
            return await transfer.readAll(this.#call, limit);
        } catch (error) {
            this.close();
            throw error;
        }
    }

    async text(options) {
        return (await this.bytes(options)).toString();
    }

    async json(options) {
        return JSON.parse(await this.text(options));
    }

    async arrayBuffer(options) {
        const bytes = await this.bytes(options);
        return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    }

    // As a stream of the web.
    get body() {
        return (this.#stream ??= webStream(this, this.#call));
    }

    // As a stream of Node.js.
    stream() {
        return nodeStream(this, this.#call);
    }

    // Piece by piece; leaving the loop early cancels the rest.
    async *[Symbol.asyncIterator]() {
        try {
            let bytes;
            while ((bytes = await transfer.readNext(this.#call)) !== null) {
                yield bytes;
            }
        } finally {
            this.close();
        }
    }

    // The rest is not wanted.
    close() {
        this.#call._end(new FlatendError(codes.ECANCELED, "the response was closed"));
    }
}

// `response` is kept until the stream is gone.
function webStream(response, call) {
    return source.toWebStream(() => transfer.readNext(call), () => response.close());
}

function nodeStream(response, call) {
    return new Readable({
        async read() {
            try {
                this.push(await transfer.readNext(call));
            } catch (error) {
                this.destroy(error);
            }
        },
        destroy(error, callback) {
            response.close();
            callback(error);
        },
    });
}

// ---- sending ----

function checkServices(where, services) {
    const list = typeof services === "string" ? [services] : services;
    if (!Array.isArray(list) || list.length === 0 || list.some((name) => typeof name !== "string")) {
        throw new TypeError(`${where}: services must be the name of a service or several of them`);
    }
    return list;
}

function checkTimeout(where, timeout) {
    if (timeout === undefined || timeout === null || timeout === Infinity) {
        return 0;
    }
    if (typeof timeout !== "number" || !(timeout >= 0 && timeout <= MAX_TIMEOUT_MS)) {
        throw new TypeError(`${where}: timeout must be a number of milliseconds`);
    }
    return Math.max(1, Math.round(timeout));
}

function checkProvider(where, node, provider) {
    if (provider === undefined || provider === null) {
        return null;
    }
    const handle = typeof provider === "bigint" ? provider : provider._node === node && provider._handle;
    if (typeof handle !== "bigint") {
        throw new TypeError(`${where}: provider must be a Provider of this node`);
    }
    return handle;
}

// The id of the request on whose behalf a call is; 0: none.
function checkParent(where, node, parent) {
    if (parent === undefined || parent === null) {
        return 0;
    }
    if (parent._node !== node || typeof parent._rid !== "number") {
        throw new TypeError(`${where}: parent must be a request of this node`);
    }
    if (parent._rid === 0) {
        throw new FlatendError(codes.ECANCELED, "the request on whose behalf this call is has ended");
    }
    return parent._rid;
}

function checkSignal(where, signal) {
    if (signal === undefined || signal === null) {
        return null;
    }
    if (typeof signal.addEventListener !== "function" || typeof signal.aborted !== "boolean") {
        throw new TypeError(`${where}: signal must be an AbortSignal`);
    }
    if (signal.aborted) {
        throw signal.reason;
    }
    return signal;
}

// {whole} or {source}; what has a type of its own sets it.
function checkBody(where, body, flat) {
    if (body === undefined || body === null) {
        return { whole: EMPTY };
    }
    if (typeof body === "string") {
        return { whole: body };
    }
    if (source.isBytes(body)) {
        return { whole: source.toBytes(body) };
    }
    const pieces = source.toSource(body);
    if (pieces !== null) {
        return { source: pieces };
    }
    if (typeof body !== "object") {
        throw new TypeError(`${where}: body must be a string, bytes, a stream, an async iterator or an object`);
    }
    if (!has(flat, "content-type")) {
        flat.push("content-type", "application/json");
    }
    return { whole: JSON.stringify(body) };
}

function checkTrailers(where, trailers) {
    if (trailers !== undefined && trailers !== null && typeof trailers !== "object" && typeof trailers !== "function") {
        throw new TypeError(`${where}: trailers must be an object, or a function that returns one`);
    }
    return trailers ?? null;
}

// What is whole ends the request with it; trailers come later.
function* once(whole) {
    if (whole.length > 0) {
        yield whole;
    }
}

// The promise of a response.
async function send(where, node, services, options = {}) {
    const names = checkServices(where, services);
    const flat = toFlat(where, options.headers);
    const timeout = checkTimeout(where, options.timeout);
    const provider = checkProvider(where, node, options.provider);
    const signal = checkSignal(where, options.signal);
    if (node._isShut) {
        throw new FlatendError(codes.ECANCELED, "Node is shut down.");
    }
    const parentId = checkParent(where, node, options.parent);
    const trailers = checkTrailers(where, options.trailers);
    const body = checkBody(where, options.body, flat);
    if (trailers !== null) {
        body.source ??= source.toSource(once(body.whole));
    }
    const id = native.push(node._mesh, names, flat, body.source ? null : body.whole, timeout, provider, parentId);
    if (id < 0) {
        body.source?.cancel(new FlatendError(id));
        throw failure(id, undefined, names);
    }
    const call = new Call(node, id, names);
    if (signal) {
        call._listen(signal);
    }
    if (body.source) {
        call._send(body.source, trailers);
    }
    return call._answer;
}

function failure(code, text, services) {
    const error = new FlatendError(code, text);
    if (code === codes.ENOPROVIDER || code === codes.EUNHANDLED) {
        const names = services.join(", ");
        error.message = `No nodes were able to process your request for service(s): [${names}]: ${error.message}`;
    }
    return error;
}

module.exports = { CallResponse, send };
