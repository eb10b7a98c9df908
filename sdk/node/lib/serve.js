"use strict";
// From a request to its handler, and from what that returns to the response.
const source = require("./source");
const transfer = require("./transfer");

const INLINE_LIMIT = 65536; // FLATEND_INLINE_BODY_MAX

function serve(ctx) {
    if (ctx._service.inline && !ctx._complete) {
        serveComplete(ctx);
    } else {
        run(ctx);
    }
}

// Once the whole body is there.
async function serveComplete(ctx) {
    try {
        ctx._first = await transfer.readAll(ctx, Math.min(ctx._service.limit, INLINE_LIMIT));
        ctx._complete = true;
    } catch (error) {
        ctx._reject(error);
        return;
    }
    run(ctx);
}

// Whatever is thrown is the response.
function run(ctx) {
    try {
        const result = ctx._service.handler(ctx);
        if (result === undefined || result === ctx) {
            return;
        }
        if (typeof result?.then === "function") {
            result.then((value) => settle(ctx, value)).catch((error) => ctx._reject(error));
        } else {
            settle(ctx, result)?.catch?.((error) => ctx._reject(error));
        }
    } catch (error) {
        ctx._reject(error);
    }
}

// What a handler has returned: the response, if there is none and it was not returned by accident.
function settle(ctx, value) {
    if (ctx._error !== null && !ctx._isTouched) {
        discard(ctx, value);
        return undefined;
    }
    if (value === undefined || value === ctx || typeof value === "boolean" || ctx._isTouched || ctx._rid === 0 ||
        source.isAccident(value)) {
        return undefined;
    }
    if (typeof value === "string") {
        ctx._setType("text/plain; charset=utf-8");
        return ctx.end(value);
    }
    if (source.isBytes(value)) {
        ctx._setType("application/octet-stream");
        return ctx.end(value);
    }
    if (source.isResponse(value)) {
        return sendResponse(ctx, value);
    }
    const pieces = source.toSource(value);
    return pieces === null ? ctx.json(value) : ctx._sendSource(pieces);
}

// The requester has gone meanwhile: what was to be sent is not read any more.
function discard(ctx, value) {
    const body = source.isResponse(value) ? value.body : value;
    if (body !== ctx && !source.isAccident(body)) {
        source.toSource(body ?? null)?.cancel(ctx._error);
    }
}

// A Response of fetch.
function sendResponse(ctx, response) {
    ctx.status(response.status);
    response.headers.forEach((value, name) => {
        if (name !== "set-cookie") {
            ctx.header(name, value);
        }
    });
    for (const cookie of response.headers.getSetCookie?.() ?? []) {
        ctx.append("set-cookie", cookie);
    }
    return response.body ? ctx._sendSource(source.toSource(response.body)) : ctx.end();
}

module.exports = { serve };
