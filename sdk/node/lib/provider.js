"use strict";
// A connected node, and calls to it alone.
const { EventEmitter } = require("node:events");
const { send } = require("./call");

// What push gives: the head of a response, and its body as a stream.
class Stream extends EventEmitter {
    constructor(id, response) {
        super();
        this.id = id;
        this.status = response.status;
        this.headers = response.headers;
        this.body = response.stream();
        this._response = response;
    }

    // Those behind the body, once that was read.
    get trailers() {
        return this._response.trailers;
    }
}

let lastId = 0;

async function push(node, services, headers, body, provider) {
    const response = await send("push", node, services, { headers, body, provider });
    return new Stream(++lastId, response);
}

class Provider {
    constructor(node, handle, id) {
        this._node = node;
        this._handle = handle;
        this.id = id;
        this.services = new Set(); // those that this node has asked for
    }

    // "host:port", or "<anon>".
    get addr() {
        return this.id.addr;
    }

    // Requests one of the services from this node.
    push(services, headers, body) {
        return push(this._node, services, headers, body, this);
    }

    // The same as Node.call.
    call(services, options) {
        return send("Provider.call", this._node, services, { ...options, provider: this });
    }
}

module.exports = { Provider, Stream, push };
