"use strict";
// Keys and secrets, and the files that they are in.
const native = require("./native");
const { fromNative } = require("./errors");

function translated(load) {
    return (...args) => {
        try {
            return load(...args);
        } catch (error) {
            throw fromNative(error);
        }
    };
}

module.exports = {
    generateSecretKey: translated(native.generateSecretKey),
    loadSecretKey: translated(native.loadSecretKey),
    loadOrCreateSecretKey: translated(native.loadOrCreateSecretKey),
    saveSecretKey: translated(native.saveSecretKey),
    publicKey: translated(native.publicKey),
    loadMeshSecret: translated(native.loadMeshSecret),
};
