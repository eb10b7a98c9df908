"use strict";
// Cookies of a request (RFC 6265): of several of one name the first, without its quotes.
function parseCookies(header) {
    const cookies = {};
    for (const pair of (header ?? "").split(";")) {
        const equals = pair.indexOf("=");
        const name = pair.slice(0, Math.max(equals, 0)).trim();
        if (name !== "" && !Object.hasOwn(cookies, name)) {
            const value = pair.slice(equals + 1).trim().replace(/^"(.*)"$/, "$1");
            Object.defineProperty(cookies, name, { value, enumerable: true, configurable: true, writable: true });
        }
    }
    return cookies;
}

module.exports = { parseCookies };
