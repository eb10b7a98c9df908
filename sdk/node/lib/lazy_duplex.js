"use strict";
/* A Duplex whose machinery is made when something needs it: most requests are answered without. Each use of a stream
 * looks at _readableState or _writableState, or is an override of ours. */
const { Duplex } = require("node:stream");

const HIGH_WATER_MARK = 65536;

function LazyDuplex() {
    this._rs = undefined;
    this._ws = undefined;
}

function materialize(stream) {
    stream._rs = null; // what the constructor itself looks at
    stream._ws = null;
    Duplex.call(stream, {
        readableHighWaterMark: HIGH_WATER_MARK,
        writableHighWaterMark: HIGH_WATER_MARK,
    });
    stream._onMaterialized();
}

// A property that the constructor of Duplex sets, and anything else reads.
function lazily(field) {
    return {
        configurable: true,
        get() {
            if (this[field] === undefined && Object.hasOwn(this, field)) {
                materialize(this);
            }
            return this[field];
        },
        set(value) {
            this[field] = value;
        },
    };
}

Object.setPrototypeOf(LazyDuplex, Duplex);
LazyDuplex.prototype = Object.create(Duplex.prototype, {
    constructor: { value: LazyDuplex, configurable: true, writable: true },
    _readableState: lazily("_rs"),
    _writableState: lazily("_ws"),
});

module.exports = { LazyDuplex };
