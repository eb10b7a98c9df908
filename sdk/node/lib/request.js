"use strict";
// The request's half of a context.
const { Duplex } = require("node:stream");
const native = require("./native");
const { LazyDuplex } = require("./lazy_duplex");
const { toObject } = require("./headers");
const { parseCookies } = require("./cookies");
const { toBytes } = require("./source");
const transfer = require("./transfer");

const NO_TIME_LIMIT = 4294967295;

class IncomingRequest extends LazyDuplex {
    constructor(node, id, service, head, peer) {
        super();
        this._node = node;
        this._mesh = node._mesh;
        this._rid = id; // 0 when the response has ended
        this._service = service;
        this._head = head;
        this._peer = peer;
        this._first = null;
        this._complete = false;
        this._error = null; // why the requester does not want the response any more
        this._onReadable = null;
        this._inTrailers = null;
        this._abort = null;
        this._bodyPromise = null;
    }

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
            const bytes = toBytes(chunk);
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
        this._inTrailers = toObject(native.trailers(this._mesh, this._rid));
    }
}

module.exports = { IncomingRequest };
