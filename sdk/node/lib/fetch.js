"use strict";
// fromFetch: a handler of the Fetch standard, Request in and Response out, as a service.
const { httpHeaders } = require("./forwarded");
const { toWebStream } = require("./source");

const BODILESS = new Set(["GET", "HEAD"]);

// A stream that leaves the other direction alone when it is canceled.
function bodyOf(ctx) {
    const chunks = ctx[Symbol.asyncIterator]();
    const next = async () => {
        const { done, value } = await chunks.next();
        return done ? null : value;
    };
    return toWebStream(next, () => chunks.return());
}

function toRequest(ctx) {
    const headers = new Headers();
    const flat = httpHeaders(ctx.rawHeaders);
    for (let i = 0; i < flat.length; i += 2) {
        try {
            headers.append(flat[i], flat[i + 1]);
        } catch {
            // The mesh has names that HTTP forbids.
        }
    }
    const method = ctx.method ?? "GET";
    const url = new URL(ctx.path ?? "/", `http://${headers.get("host") ?? "localhost"}`);
    const body = BODILESS.has(method) ? undefined : bodyOf(ctx);
    return new Request(url, { method, headers, body, duplex: "half", signal: ctx.signal });
}

/**
 * Makes a service of anything with `fetch`: a function, or an object such as a Hono app.
 */
function fromFetch(app) {
    const handler = typeof app === "function" ? app : app?.fetch?.bind(app);
    if (typeof handler !== "function") {
        throw new TypeError("fromFetch: a function, or an object with a method fetch, is needed");
    }
    return async function fetchHandler(ctx) {
        const response = await handler(toRequest(ctx));
        if (typeof response?.status !== "number" || typeof response.headers?.get !== "function") {
            throw new TypeError("fromFetch: the handler did not return a Response");
        }
        return response;
    };
}

module.exports = { fromFetch };
