"use strict";
// IP addresses as objects, and "host:port".
const net = require("node:net");

class Address {
    #bytes;

    constructor(bytes) {
        this.#bytes = Uint8Array.from(bytes);
    }

    // "ipv4" or "ipv6".
    kind() {
        return this.#bytes.length === 4 ? "ipv4" : "ipv6";
    }

    toByteArray() {
        return [...this.#bytes];
    }

    isIPv4MappedAddress() {
        const bytes = this.#bytes;
        return bytes.length === 16 && bytes[10] === 255 && bytes[11] === 255 && bytes.subarray(0, 10).every((b) => b === 0);
    }

    toIPv4Address() {
        if (!this.isIPv4MappedAddress()) {
            throw new Error(`${this} is not an IPv4-mapped address`);
        }
        return new Address(this.#bytes.subarray(12));
    }

    toString() {
        return this.#bytes.length === 4 ? this.#bytes.join(".") : format6(this.#bytes);
    }

    toJSON() {
        return this.toString();
    }

    [Symbol.for("nodejs.util.inspect.custom")]() {
        return this.toString();
    }
}

// RFC 5952: the longest run of two or more zeros is "::".
function format6(bytes) {
    const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] << 8) | bytes[2 * i + 1]).toString(16));
    let best = { at: 0, n: 1 };
    for (let i = 0; i < 8; i++) {
        let n = 0;
        while (groups[i + n] === "0") {
            n++;
        }
        if (n > best.n) {
            best = { at: i, n };
        }
    }
    if (best.n < 2) {
        return groups.join(":");
    }
    return `${groups.slice(0, best.at).join(":")}::${groups.slice(best.at + best.n).join(":")}`;
}

function groupsOf(text) {
    return text === "" ? [] : text.split(":").flatMap((group) => {
        if (group.includes(".")) {
            const [a, b, c, d] = group.split(".").map(Number);
            return [(a << 8) | b, (c << 8) | d];
        }
        return [parseInt(group, 16)];
    });
}

function parse6(text) {
    const [left, right] = text.split("%")[0].split("::").map(groupsOf);
    const groups = right === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill(0), ...right];
    return groups.flatMap((group) => [group >> 8, group & 255]);
}

// The address that `text` is; throws if it is none.
function parseAddress(text) {
    if (net.isIPv4(text)) {
        return new Address(text.split(".").map(Number));
    }
    if (net.isIPv6(text)) {
        const address = new Address(parse6(text));
        return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
    }
    throw new Error(`"${text}" is no IP address`);
}

// Splits "127.0.0.1:9000", "[::1]:9000", "::1:9000", ":9000" (all interfaces) or "9000".
function splitHostPort(addr) {
    if (typeof addr !== "string") {
        throw new TypeError("splitHostPort: addr must be a string");
    }
    const colon = addr.lastIndexOf(":");
    const digits = addr.slice(colon + 1);
    if (digits === "") {
        throw new Error("Unable to split host:port from address.");
    }
    const port = /^\d+$/.test(digits) ? Number(digits) : NaN;
    if (!(port <= 65535)) {
        throw new Error(`Port ${digits} is invalid.`);
    }
    const host = addr.slice(0, Math.max(colon, 0)).replace(/^\[(.*)\]$/, "$1");
    return { host: parseAddress(host === "" ? "0.0.0.0" : host), port };
}

// A TCP address on which a program may listen now.
async function getAvailableAddress() {
    const server = net.createServer();
    server.unref();
    await new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(0, resolve);
    });
    const { address, family, port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return { family: String(family), host: parseAddress(address === "" ? "0.0.0.0" : address), port };
}

module.exports = { Address, parseAddress, splitHostPort, getAvailableAddress };
