"use strict";
/* fromHttp: a listener of http.createServer (Express, Fastify, Koa, Nest) as a service.
 *
 * Frameworks replace the prototypes of request and response by ones that inherit from those of node:http, so that what
 * is ours are properties of each object: how the request's body is read, and what the response does instead of writing
 * HTTP. All else, headers above all, is node:http's own. */
const { EventEmitter } = require("node:events");
const http = require("node:http");
const { lateWrite } = require("./errors");
const { httpHeaders } = require("./forwarded");

// Fields of one connection of HTTP, not of the message.
const CONNECTION = new Set(["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"]);

// What frameworks look at on a request's socket.
class Connection extends EventEmitter {
    constructor(ctx) {
        super();
        this.readable = true;
        this.writable = true;
        this.destroyed = false;
        this.encrypted = false;
        this.remoteAddress = ctx.id?.addr?.replace(/:\d+$/, "");
        this.remotePort = ctx.id?.port;
        this.writableLength = 0;
        this.ctx = ctx;
    }

    address() {
        return {};
    }

    destroy(error) {
        if (!this.destroyed) {
            this.destroyed = true;
            this.readable = false;
            this.writable = false;
            this.ctx.destroy(error);
            queueMicrotask(() => this.emit("close", error !== undefined));
        }
        return this;
    }

    end() {
        return this;
    }
}

for (const name of ["cork", "pause", "ref", "resume", "setKeepAlive", "setNoDelay", "setTimeout", "uncork", "unref"]) {
    Connection.prototype[name] = function () {
        return this;
    };
}

// ---- the request

// As node:http has them, headers or trailers: names in lower case, several of one name joined or left out.
function addHeaders(req, flat, headers, raw) {
    for (let i = 0; i < flat.length; i += 2) {
        req._addHeaderLine(flat[i], flat[i + 1], headers);
        raw.push(flat[i], flat[i + 1]);
    }
}

function aborted() {
    return Object.assign(new Error("aborted"), { code: "ECONNRESET" });
}

function toRequest(ctx, connection) {
    const req = new http.IncomingMessage(connection);
    let chunks = null;
    let isReading = false;

    const read = async () => {
        isReading = true;
        try {
            chunks ??= ctx[Symbol.asyncIterator]();
            for (;;) {
                const { done, value } = await chunks.next();
                if (done) {
                    addHeaders(req, Object.entries(ctx.trailers).flat(), req.trailers, req.rawTrailers);
                    req.complete = true;
                    req.push(null);
                    return;
                }
                if (!req.push(value)) {
                    return;
                }
            }
        } catch (error) {
            req.destroy(error);
        } finally {
            isReading = false;
        }
    };

    req._read = () => {
        if (!isReading && !req.complete) {
            read();
        }
    };
    // As node:http does it: an error that nobody listens to is none.
    req._destroy = (error, callback) => {
        if (!req.complete) {
            req.aborted = true;
            req.emit("aborted");
        }
        process.nextTick(callback, req.listenerCount("error") > 0 ? error : null);
    };
    req.method = ctx.method ?? "GET";
    req.url = ctx.path ?? "/";
    req.httpVersion = "1.1";
    req.httpVersionMajor = 1;
    req.httpVersionMinor = 1;
    addHeaders(req, httpHeaders(ctx.rawHeaders), req.headers, req.rawHeaders);
    return req;
}

// ---- the response

// writeHead's arguments, in each of its forms.
function takeHead(res, [status, ...rest]) {
    const headers = typeof rest[0] === "string" ? rest[1] : (rest[0] ?? rest[1]);
    res.statusCode = status;
    if (Array.isArray(headers)) {
        const pairs = Array.isArray(headers[0]) ? headers.flat() : headers;
        const seen = new Set();
        for (let i = 0; i < pairs.length; i += 2) {
            const name = String(pairs[i]).toLowerCase();
            (seen.has(name) ? res.appendHeader : res.setHeader).call(res, pairs[i], pairs[i + 1]);
            seen.add(name);
        }
    } else if (headers) {
        for (const [name, value] of Object.entries(headers)) {
            if (value !== undefined) {
                res.setHeader(name, value);
            }
        }
    }
}

function sendHead(ctx, res) {
    ctx.status(res.statusCode);
    for (const [name, value] of Object.entries(res.getHeaders())) {
        if (!CONNECTION.has(name)) {
            ctx.header(name, Array.isArray(value) ? value.map(String) : String(value));
        }
    }
    res._header = "sent"; // what headersSent and setHeader look at
}

function toBytes(chunk, encoding) {
    if (typeof chunk === "string") {
        return Buffer.from(chunk, typeof encoding === "string" ? encoding : "utf8");
    }
    if (chunk instanceof Uint8Array) {
        return chunk;
    }
    const error = new TypeError('The "chunk" argument must be of type string or an instance of Buffer or Uint8Array.');
    error.code = "ERR_INVALID_ARG_TYPE";
    throw error;
}

function hasBody(req, res) {
    return req.method !== "HEAD" && res.statusCode !== 204 && res.statusCode !== 304;
}

function afterEnd(callback) {
    const error = lateWrite();
    queueMicrotask(() => callback?.(error));
    return error;
}

// The whole response is there, so that it can be one message with its length.
function endWhole(ctx, req, res, bytes) {
    if (hasBody(req, res) && !res.hasHeader("content-length") && !res.hasHeader("transfer-encoding")) {
        res.setHeader("content-length", bytes.length);
    }
    res.writeHead(res.statusCode);
    ctx.send(hasBody(req, res) ? bytes : "");
}

function toResponse(ctx, req, connection) {
    const res = new http.ServerResponse(req);
    let isClosed = false;

    const close = () => {
        if (!isClosed) {
            isClosed = true;
            res.destroyed = true;
            connection.destroyed = true;
            res.emit("close");
            connection.emit("close", false);
        }
    };
    const finished = (callback) => {
        res.emit("prefinish");
        res.emit("finish");
        callback?.();
        close();
    };

    ctx.signal.addEventListener("abort", () => {
        if (!req.complete) {
            req.destroy(aborted());
        }
        close();
    }, { once: true });

    res.socket = connection;
    res.writeHead = (...args) => {
        if (res._header) {
            const error = new Error("Cannot write headers after they are sent to the client");
            error.code = "ERR_HTTP_HEADERS_SENT";
            throw error;
        }
        takeHead(res, args);
        sendHead(ctx, res);
        return res;
    };
    res._implicitHeader = () => res.writeHead(res.statusCode);
    res.flushHeaders = () => {
        if (!res._header) {
            res.writeHead(res.statusCode);
            ctx.write("");
        }
    };
    res.write = (chunk, encoding, callback) => {
        const done = typeof encoding === "function" ? encoding : callback;
        const bytes = toBytes(chunk, encoding);
        if (res.finished || isClosed) {
            const error = afterEnd(done);
            if (res.finished) {
                res.emit("error", error);
            }
            return false;
        }
        if (!res._header) {
            res.writeHead(res.statusCode);
        }
        if (!hasBody(req, res)) {
            queueMicrotask(() => done?.());
            return true;
        }
        const isFree = ctx.write(bytes, done);
        if (!isFree) {
            ctx.once("drain", () => res.emit("drain"));
        }
        return isFree;
    };
    res.end = (chunk, encoding, callback) => {
        const done = [chunk, encoding, callback].find((one) => typeof one === "function");
        const bytes = chunk === undefined || chunk === null || typeof chunk === "function" ? null : toBytes(chunk, encoding);
        if (res.finished) {
            if (done) {
                afterEnd(done);
            }
            return res;
        }
        if (isClosed) {
            res.finished = true;
            return res;
        }
        if (!res._header) {
            res.finished = true;
            endWhole(ctx, req, res, bytes ?? Buffer.alloc(0));
            queueMicrotask(() => finished(done));
            return res;
        }
        if (bytes !== null && hasBody(req, res)) {
            ctx.write(bytes);
        }
        res.finished = true;
        ctx.end(() => finished(done));
        return res;
    };
    res.addTrailers = (trailers) => {
        const pairs = Array.isArray(trailers) ? trailers : Object.entries(trailers);
        for (const [name, value] of pairs) {
            ctx.trailer(name, String(value));
        }
    };
    res.writeContinue = () => {}; // the gateway has, when the body was asked for
    res.writeProcessing = () => {};
    res.writeEarlyHints = () => {};
    res.destroy = (error) => {
        if (!isClosed) {
            ctx.destroy(error ?? aborted());
            close();
        }
        return res;
    };
    return res;
}

// ---- any application

function toListener(app) {
    if (app instanceof http.Server || (typeof app?.listeners === "function" && typeof app.listen === "function" &&
        typeof app !== "function" && app.listeners("request").length > 0)) {
        return (req, res) => app.emit("request", req, res);
    }
    if (typeof app === "function") {
        return app; // a listener, and an Express app
    }
    if (typeof app?.callback === "function") {
        return app.callback(); // Koa
    }
    if (typeof app?.routing === "function") {
        return app.routing.bind(app); // Fastify, once it is ready
    }
    if (typeof app?.getHttpAdapter === "function") {
        return app.getHttpAdapter().getInstance(); // Nest, once it was initialized
    }
    throw new TypeError("fromHttp: a listener of http.createServer, a server, or an app of Express, Fastify, Koa or " +
        "Nest is needed");
}

/**
 * Makes a service of a listener of http.createServer, or of an application that has one.
 */
function fromHttp(app) {
    const listener = toListener(app);
    return function httpHandler(ctx) {
        const connection = new Connection(ctx);
        const req = toRequest(ctx, connection);
        const res = toResponse(ctx, req, connection);
        const result = listener(req, res);
        // A listener that rejects before it has answered would leave its client waiting.
        return typeof result?.then === "function" ? result.then(() => undefined) : undefined;
    };
}

module.exports = { fromHttp };
