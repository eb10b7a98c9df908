"use strict";
// The options of Node.start, checked: what is wrong is named.

const KEY_LENGTH = 32;
const SECRET_KEY_LENGTH = 64;
const DEFAULT_BACKOFF_MS = 500;
const DEFAULT_LIMIT = 65536;
const STREAMING = 2; // FLATEND_SERVICE_STREAMING
const LEVELS = ["error", "warn", "info", "debug"];
const MAX_MS = 86_400_000;

function fail(field, what) {
    throw new TypeError(`Node.start: ${field} must be ${what}`);
}

function string(value, field) {
    if (typeof value !== "string") {
        fail(field, "a string");
    }
    return value;
}

function boolean(value, field) {
    if (typeof value !== "boolean") {
        fail(field, "a boolean");
    }
    return value;
}

function list(check) {
    return (value, field) => {
        if (!Array.isArray(value)) {
            fail(field, "an array");
        }
        return value.map((one, i) => check(one, `${field}[${i}]`));
    };
}

function number(value, field, what, isRight) {
    if (typeof value !== "number" || !isRight(value)) {
        fail(field, what);
    }
    return value;
}

function milliseconds(value, field) {
    return number(value, field, "a number of milliseconds from 0 to a day",
        (n) => Number.isInteger(n) && n >= 0 && n <= MAX_MS);
}

function integer(value, field) {
    return number(value, field, "an integer", (n) => Number.isInteger(n) && Math.abs(n) < 2 ** 31);
}

function secretKey(value, field) {
    if (!(value instanceof Uint8Array) || value.length !== SECRET_KEY_LENGTH) {
        fail(field, `a Uint8Array of ${SECRET_KEY_LENGTH} bytes`);
    }
    return value;
}

// A public key: 32 bytes, or 64 hexadecimal digits.
function publicKey(value, field) {
    if (typeof value === "string" && /^[0-9a-f]{64}$/i.test(value)) {
        return Buffer.from(value, "hex");
    }
    if (!(value instanceof Uint8Array) || value.length !== KEY_LENGTH) {
        fail(field, `a public key: ${KEY_LENGTH} bytes or ${2 * KEY_LENGTH} hexadecimal digits`);
    }
    return value;
}

function meshSecret(value, field) {
    if (typeof value === "string") {
        return Buffer.from(value);
    }
    if (!(value instanceof Uint8Array)) {
        fail(field, "a string or a Uint8Array");
    }
    return value;
}

function record(value, field) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
        fail(field, "an object");
    }
    return value;
}

function serviceRules(value, field) {
    return Object.entries(record(value, field)).map(([service, keys]) => [
        service, list(publicKey)(keys, `${field}[${JSON.stringify(service)}]`),
    ]);
}

function logLevel(value, field) {
    if (!LEVELS.includes(value)) {
        fail(field, `one of ${LEVELS.join(", ")}`);
    }
    return value;
}

function logger(value, field) {
    if (typeof value !== "function" && (value === null || typeof value !== "object")) {
        fail(field, "a function or an object with functions named error, warn, info and debug");
    }
    return value;
}

// A service: a function, or {handler, streaming, inline, limit}.
function service(name, value, field) {
    const options = typeof value === "function" ? { handler: value } : value;
    if (options === null || typeof options !== "object" || typeof options.handler !== "function") {
        fail(field, "a function or an object with a handler");
    }
    const { handler, streaming = false, inline = false, limit = DEFAULT_LIMIT } = options;
    boolean(streaming, `${field}.streaming`);
    boolean(inline, `${field}.inline`);
    number(limit, `${field}.limit`, "a number of bytes", (n) => n >= 0);
    if (streaming && inline) {
        throw new TypeError(`Node.start: ${field} cannot be streaming and inline`);
    }
    return { name, handler, inline, limit, flags: streaming ? STREAMING : 0 };
}

function services(value, field) {
    return Object.entries(record(value, field)).map(([name, one]) =>
        service(name, one, `${field}[${JSON.stringify(name)}]`));
}

// option: how it is checked.
const CHECKS = {
    publicAddr: string,
    bindAddrs: list(string),
    addrs: list(string),
    secretKey,
    secretKeyFile: string,
    services,
    numReconnectAttempts: integer,
    reconnectBackoffDuration: milliseconds,
    reconnectBackoffFactor: (value, field) => number(value, field, "a number from 1 to 1000", (n) => n >= 1 && n <= 1000),
    reconnectBackoffMinDuration: milliseconds,
    reconnectBackoffMaxDuration: milliseconds,
    meshSecret,
    meshSecretFile: string,
    requireSecure: boolean,
    allowedKeys: list(publicKey),
    serviceRules,
    deadAfter: milliseconds,
    shutdownTimeout: (value, field) => number(value, field, "a number of milliseconds",
        (n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32),
    startTimeout: milliseconds,
    startNeedsPeer: boolean,
    logger,
    logLevel,
};

// The options that are there, checked. `null` is as if an option were not there, but for `meshSecret`.
function check(options) {
    const checked = {};
    record(options, "options");
    for (const [name, one] of Object.entries(CHECKS)) {
        const value = options[name];
        if (value !== undefined && value !== null) {
            checked[name] = one(value, name);
        }
    }
    if (options.meshSecret === null) {
        checked.meshSecret = null;
    }
    exclude(checked, "secretKey", "secretKeyFile");
    exclude(checked, "meshSecret", "meshSecretFile");
    for (const name of ["Factor", "MinDuration", "MaxDuration"]) {
        exclude(checked, "reconnectBackoffDuration", `reconnectBackoff${name}`);
    }
    return checked;
}

function exclude(options, a, b) {
    if (options[a] !== undefined && options[a] !== null && options[b] !== undefined) {
        throw new TypeError(`Node.start: ${a} and ${b} exclude each other`);
    }
}

// Constant unless a growth was asked for.
function backoff(checked) {
    const { reconnectBackoffFactor: factor, reconnectBackoffMinDuration: min, reconnectBackoffMaxDuration: max } = checked;
    if (factor === undefined && min === undefined && max === undefined) {
        const duration = checked.reconnectBackoffDuration ?? DEFAULT_BACKOFF_MS;
        return { reconnectBackoffFactor: 1, reconnectBackoffMinMs: duration, reconnectBackoffMaxMs: duration };
    }
    return { reconnectBackoffFactor: factor, reconnectBackoffMinMs: min, reconnectBackoffMaxMs: max };
}

// As the addon takes them. `level`: of the log, undefined for none.
function toNative(checked, level) {
    const native = {
        publicAddr: checked.publicAddr,
        bindAddrs: checked.bindAddrs,
        secretKey: checked.secretKey,
        reconnectAttempts: checked.numReconnectAttempts,
        ...backoff(checked),
        meshSecret: checked.meshSecret ?? undefined,
        requireSecure: checked.requireSecure,
        allowedKeys: checked.allowedKeys,
        serviceRules: checked.serviceRules,
        deadAfterMs: checked.deadAfter,
        shutdownTimeoutMs: checked.shutdownTimeout,
        startTimeoutMs: checked.startTimeout,
        startNeedsPeer: checked.startNeedsPeer,
        logLevel: level,
    };
    return Object.fromEntries(Object.entries(native).filter(([, value]) => value !== undefined));
}

module.exports = { LEVELS, check, service, toNative };
