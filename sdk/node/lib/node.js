"use strict";
// A node of the mesh.
const { EventEmitter } = require("node:events");
const native = require("./native");
const { FlatendError, codes, fromNative } = require("./errors");
const { Context } = require("./context");
const { send } = require("./call");
const { Provider, push } = require("./provider");
const { Table, ID } = require("./kademlia");
const { parseAddress } = require("./ip");
const { Inbox, TYPES } = require("./inbox");
const { debug } = require("./debug");
const options = require("./options");
const { serve } = require("./serve");
const transfer = require("./transfer");

// Keys and sources of peers: DEBUG prints the lines of 2020, a logger gets all of them as they are.
const NOTE = /(Services: \[[^\]]*\]) \([^)]*\)$/;

class Node extends EventEmitter {
    constructor() {
        super();
        this.handlers = {};
        this.id = undefined;
        this.keys = undefined;
        this.table = new Table();
        this._mesh = null;
        this._services = []; // by the numbers that requests name them with
        this._numbers = new Map(); // of the names
        this._exchanges = new Map(); // requests and calls that are open, by their ids
        this._providers = new Map(); // by their handles
        this._inbox = new Inbox();
        this._logger = null;
        this._shutdown = null; // the promise of it
        this._isShut = false;
        this._isStarted = false;
    }

    // Makes a node, has it listen, join the mesh at `addrs`, and serve.
    static async start(opts = {}) {
        const node = new Node();
        const checked = withEnvironment(options.check(opts));
        node._prepare(checked);
        try {
            await native.start(node._mesh, (checked.addrs ?? []).map(dialable));
        } catch (error) {
            await node.shutdown();
            throw fromNative(error);
        }
        node._isStarted = true;
        node._setId(checked.publicAddr);
        return node;
    }

    _prepare(checked) {
        const level = this._setLogger(checked.logger, checked.logLevel);
        const settings = options.toNative(checked, level);
        settings.services = (checked.services ?? []).map((one) => [one.name, this._number(one), one.flags]);
        if (checked.secretKey) {
            this.keys = { publicKey: native.publicKey(checked.secretKey), secretKey: checked.secretKey };
            this.table = new Table(this.keys.publicKey);
        }
        try {
            this._mesh = native.create(settings, this._inbox.bytes, (n) => this._inbox.each(n, this));
        } catch (error) {
            throw fromNative(error);
        }
    }

    // The number of a service, which its requests name it with: always the same for one name.
    _number(service) {
        const number = this._numbers.get(service.name) ?? this._services.length;
        this._numbers.set(service.name, number);
        this._services[number] = service;
        this.handlers[service.name] = service.handler;
        return number;
    }

    // Where peers reach this node.
    _setId(publicAddr) {
        const addr = publicAddr ?? this.listenAddrs.find((one) => !one.startsWith("unix:"));
        if (this.keys === undefined || addr === undefined) {
            return;
        }
        const colon = addr.lastIndexOf(":");
        const host = addr.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
        let address;
        try {
            address = parseAddress(host === "" ? "0.0.0.0" : host);
        } catch {
            address = host; // a name
        }
        this.id = new ID(this.keys.publicKey, address, Number(addr.slice(colon + 1)));
    }

    // ---- serving ----

    addService(name, handler) {
        this._checkStarted();
        const service = options.service(name, handler, `services[${JSON.stringify(name)}]`);
        const former = this._services[this._numbers.get(name)];
        const code = native.addService(this._mesh, name, this._number(service), service.flags);
        if (code !== 0) {
            if (former !== undefined) {
                this._number(former);
            }
            if (code !== codes.EEXIST) {
                delete this.handlers[name];
            }
            throw new FlatendError(code, `${name}: ${native.errorText(code)}`);
        }
    }

    removeService(name) {
        this._checkStarted();
        const code = native.removeService(this._mesh, name);
        if (code !== 0) {
            throw new FlatendError(code, `${name}: ${native.errorText(code)}`);
        }
        delete this.handlers[name];
    }

    _checkStarted() {
        if (this._isShut || !this._isStarted) {
            throw this._isShut ? new FlatendError(codes.ECANCELED, "Node is shut down.") : new FlatendError(codes.ESTATE);
        }
    }

    // ---- calling ----

    call(services, opts) {
        return send("Node.call", this, services, opts);
    }

    push(services, headers, body) {
        return push(this, services, headers, body);
    }

    // The connected nodes that provide any of the services.
    providersFor(services) {
        const names = typeof services === "string" ? [services] : services;
        if (!Array.isArray(names) || names.some((name) => typeof name !== "string")) {
            throw new TypeError("Node.providersFor: services must be an array of strings");
        }
        const found = new Set();
        for (const name of this._isShut ? [] : names) {
            const list = native.providers(this._mesh, [name]);
            for (const one of Array.isArray(list) ? list : []) {
                const provider = this._provider(one.handle, () => idOf(one));
                provider.services.add(name);
                found.add(provider);
            }
        }
        return [...found];
    }

    _provider(handle, makeId) {
        let provider = this._providers.get(handle);
        if (provider === undefined) {
            provider = new Provider(this, handle, makeId());
            this._providers.set(handle, provider);
        }
        return provider;
    }

    // ---- living and ending ----

    get listenAddrs() {
        const addrs = [];
        let addr;
        while ((addr = native.listenAddr(this._mesh, addrs.length)) !== undefined) {
            addrs.push(addr);
        }
        return addrs;
    }

    ref() {
        native.ref(this._mesh, true);
        return this;
    }

    unref() {
        native.ref(this._mesh, false);
        return this;
    }

    // Takes no new requests, waits for those that run, and closes.
    shutdown() {
        return (this._shutdown ??= this._close());
    }

    async _close() {
        this._isShut = true;
        await native.shutdown(this._mesh);
        this._endAll();
    }

    _endAll() {
        for (const exchange of [...this._exchanges.values()]) {
            exchange._cancel(codes.ECANCELED, true);
        }
        this._exchanges.clear();
        this._providers.clear();
    }

    // ---- what the addon tells ----

    _remember(id, exchange) {
        this._exchanges.set(id, exchange);
    }

    _forget(id) {
        this._exchanges.delete(id);
    }

    _onRequest(id, number, { head, peer, body, isComplete }) {
        const service = this._services[number];
        const ctx = new Context(this, id, service, head, peer);
        ctx._first = body;
        ctx._complete = isComplete;
        serve(ctx);
        if (ctx._rid !== 0) {
            this._exchanges.set(id, ctx);
        }
    }

    _onResponse(id, status, { head, body, isComplete }) {
        this._exchanges.get(id)?._onResponse(status, head, body, isComplete);
    }

    _onFailed(id, code, text) {
        this._exchanges.get(id)?._onFailed(code, text);
    }

    _onEvent(type, id, code) {
        if (type === TYPES.DRAINED) {
            this._tell("drained");
        } else if (type === TYPES.PEERS_LOST) {
            this._tell("missed");
        } else if (id !== 0) {
            const exchange = this._exchanges.get(id);
            if (exchange !== undefined) {
                onExchange(exchange, type, code);
            }
        }
    }

    _onPeer(type, handle, id) {
        const provider = handle === 0n ? new Provider(this, handle, id) : this._provider(handle, () => id);
        if (type === TYPES.PEER_UP) {
            if (!id.isAnonymous) {
                this.table.update(id);
            }
            this._tell("peer", provider);
        } else if (type === TYPES.PEER_DOWN) {
            this._providers.delete(handle);
            this.table.delete(id.publicKey);
            this._tell("lost", provider);
        } else {
            this._tell("givenup", provider);
        }
    }

    // An error of a listener is no error of the node's.
    _tell(event, argument) {
        try {
            this.emit(event, argument);
        } catch (error) {
            process.nextTick(() => {
                throw error;
            });
        }
    }

    // The level of the log that somebody wants; undefined: none.
    _setLogger(logger, level) {
        this._logger = typeof logger === "function" ? logger : logger && ((name, line) => logger[name]?.(line));
        if (this._logger === undefined && !debug.enabled) {
            return undefined;
        }
        return options.LEVELS.indexOf(level ?? "info");
    }

    _onLog(level, line) {
        if (!line.startsWith("Re-probed ")) {
            debug(line.replace(NOTE, "$1"));
        }
        try {
            this._logger?.(options.LEVELS[level], line);
        } catch (error) {
            debug(`The logger has failed: ${error?.message}`);
        }
    }
}

if (Symbol.asyncDispose) {
    Node.prototype[Symbol.asyncDispose] = function dispose() {
        return this.shutdown();
    };
}

function onExchange(exchange, type, code) {
    switch (type) {
        case TYPES.READABLE:
        case TYPES.END:
            transfer.wakeReader(exchange);
            break;
        case TYPES.WRITABLE:
            transfer.wakeWriter(exchange);
            break;
        case TYPES.CANCELED:
        case TYPES.DEADLINE:
            exchange._cancel(code);
            break;
        default:
            break;
    }
}

function idOf({ publicKey, host, port, isAnonymous, isProven }) {
    return new ID(publicKey, parseAddress(host === "" ? "0.0.0.0" : host), port, { isAnonymous, isProven });
}

// ":9000" is this machine.
function dialable(addr) {
    return addr.replace(/(^|@):(\d+)$/, "$1127.0.0.1:$2");
}

function environment(name) {
    try {
        return process.env[name] || undefined;
    } catch {
        return undefined; // Deno without --allow-env
    }
}

// With what is in files, and in the environment.
function withEnvironment(checked) {
    const result = { ...checked };
    if (checked.secretKeyFile !== undefined) {
        result.secretKey = fromFile(native.loadOrCreateSecretKey, checked.secretKeyFile);
    }
    if (checked.meshSecret !== undefined) {
        return result;
    }
    const file = checked.meshSecretFile;
    const secret = file === undefined ? environment("FLATEND_MESH_SECRET") : undefined;
    const path = file ?? environment("FLATEND_MESH_SECRET_FILE");
    if (secret !== undefined) {
        result.meshSecret = Buffer.from(secret);
    } else if (path !== undefined) {
        result.meshSecret = fromFile(native.loadMeshSecret, path);
    }
    return result;
}

function fromFile(load, path) {
    try {
        return load(path);
    } catch (error) {
        throw fromNative(error);
    }
}

module.exports = { Node };
