"use strict";
// Headers: what has come is one string until somebody asks for more; what goes is a flat list [name, value, ...].

const BAD_NAME = /^:|[\x00-\x1f\x7f]/;
const BAD_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;

// An own property whatever the name is: `__proto__`, too.
function put(object, name, value) {
    if (name === "__proto__") {
        Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
    } else {
        object[name] = value;
    }
}

// As an object; of several of one name, the last.
function toObject(flat) {
    const object = {};
    for (let i = 0; i < flat.length; i += 2) {
        put(object, flat[i], flat[i + 1]);
    }
    return object;
}

class Head {
    #text;
    #lengths;
    #flat = null;
    #object = null;

    // All names and values as one string, and how long each is; or `flat`.
    constructor(text, lengths, flat) {
        this.#text = text;
        this.#lengths = lengths;
        this.#flat = flat;
    }

    get flat() {
        if (this.#flat === null) {
            let at = 0;
            this.#flat = this.#lengths.map((length) => this.#text.substring(at, (at += length)));
        }
        return this.#flat;
    }

    get object() {
        return (this.#object ??= toObject(this.flat));
    }

    all(name) {
        const lower = name.toLowerCase();
        return this.flat.filter((_, i) => i % 2 === 1 && this.flat[i - 1].toLowerCase() === lower);
    }

    // Those that begin with `prefix`, by what is behind it; names are found in upper and lower case.
    under(prefix) {
        const object = {};
        for (const [name, value] of Object.entries(this.object)) {
            if (name.startsWith(prefix)) {
                put(object, name.slice(prefix.length), value);
            }
        }
        return new Proxy(object, ignoringCase);
    }
}

// The mesh has names in lower case; programs spell them as their routes do.
const ignoringCase = {
    get: (object, name) => object[key(object, name)],
    has: (object, name) => key(object, name) in object,
};

function key(object, name) {
    return typeof name === "symbol" || Object.hasOwn(object, name) ? name : name.toLowerCase();
}

function checkName(where, name) {
    if (typeof name !== "string") {
        throw new TypeError(`${where}: the name of a header must be a string`);
    }
    if (name === "" || BAD_NAME.test(name)) {
        throw new TypeError(`${where}: ${JSON.stringify(name)} cannot be the name of a header`);
    }
    return name.toLowerCase();
}

function checkValue(where, name, value) {
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
        throw new TypeError(`${where}: the value of "${name}" must be a string`);
    }
    const text = String(value);
    if (BAD_VALUE.test(text)) {
        throw new TypeError(`${where}: the value of "${name}" has control characters`);
    }
    return text;
}

// Appends to a flat list; a list of values is several headers.
function append(flat, where, name, value) {
    const checked = checkName(where, name);
    for (const one of Array.isArray(value) ? value : [value]) {
        flat.push(checked, checkValue(where, checked, one));
    }
}

function remove(flat, name) {
    for (let i = flat.length - 2; i >= 0; i -= 2) {
        if (flat[i] === name) {
            flat.splice(i, 2);
        }
    }
}

function has(flat, name) {
    for (let i = 0; i < flat.length; i += 2) {
        if (flat[i] === name) {
            return true;
        }
    }
    return false;
}

// A flat list of an object, a Map, a Headers, or a list of pairs.
function toFlat(where, headers) {
    if (headers === undefined || headers === null) {
        return [];
    }
    if (typeof headers !== "object") {
        throw new TypeError(`${where}: headers must be an object`);
    }
    const flat = [];
    const pairs = typeof headers[Symbol.iterator] === "function" ? headers : Object.entries(headers);
    for (const [name, value] of pairs) {
        if (value !== undefined) {
            append(flat, where, name, value);
        }
    }
    return flat;
}

module.exports = { Head, append, checkName, checkValue, has, remove, toFlat, toObject };
