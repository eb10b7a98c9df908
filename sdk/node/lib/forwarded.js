"use strict";
// What a request says of the one of HTTP that it was at the gateway.

// Names that the gateway adds for what HTTP has elsewhere; nodes set "peer.id" themselves.
const INSIDE = /^(?::|params\.|query\.|peer\.)/;

// The headers of HTTP: [name, value, ...].
function httpHeaders(flat) {
    const headers = [];
    for (let i = 0; i < flat.length; i += 2) {
        if (!INSIDE.test(flat[i])) {
            headers.push(flat[i], flat[i + 1]);
        }
    }
    return headers;
}

module.exports = { httpHeaders };
