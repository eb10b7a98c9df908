"use strict";
// fromFetch: a handler of the Fetch standard, Request in and Response out, as a service.
const { httpHeaders } = require("./forwarded");

const BODILESS = new Set(["GET", "HEAD"]);

// A stream that leaves the other direction alone when it is canceled.
function bodyOf(ctx) {
    let chunks;
    return new ReadableStream({
        type: "bytes",
        async pull(controller) {
            chunks ??= ctx[Symbol.asyncIterator]();
            const { done, value } = await chunks.next();
            if (done) {
                controller.close();
                controller.byobRequest?.respond(0);
            } else {
                controller.enqueue(new Uint8Array(value));
            }
        },
        async cancel() {
            await chunks?.return?.();
        },
    });
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
