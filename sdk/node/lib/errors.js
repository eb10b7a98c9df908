"use strict";
// The errors of the C API (docs/c-api.md).
const native = require("./native");

// In the order of their numbers: -1, -2, ...
const NAMES = [
    "ENOMEM", "EINVAL", "ESTATE", "EAGAIN", "ECANCELED", "ECLOSED", "ETIMEDOUT", "EREFUSED", "EUNREACHABLE",
    "EADDR", "EADDRINUSE", "EPROTO", "EDECRYPT", "ESIGNATURE", "ETOOBIG", "ENOPROVIDER", "EUNHANDLED", "ERESET",
    "EIO", "EKEY", "EACCESS", "ENOENT", "EEXIST", "ELIMIT", "ESYNTAX", "EOVERFLOW", "EDENIED",
];

const codes = Object.freeze(Object.fromEntries(NAMES.map((name, i) => [name, -1 - i])));

class FlatendError extends Error {
    constructor(errno, message, options) {
        super(message || native.errorText(errno), options);
        this.errno = errno;
        this.code = native.errorName(errno);
    }
}

Object.defineProperty(FlatendError.prototype, "name", { value: "FlatendError", configurable: true, writable: true });

// As streams of Node.js say it.
function lateWrite() {
    return Object.assign(new Error("write after end"), { code: "ERR_STREAM_WRITE_AFTER_END" });
}

// What the addon throws, {code, message}, as ours.
function fromNative(error) {
    return typeof error.code === "number" ? new FlatendError(error.code, error.message) : error;
}

module.exports = { FlatendError, codes, fromNative, lateWrite };
