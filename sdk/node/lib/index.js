"use strict";
const native = require("./native");
const { Node } = require("./node");
const { Context } = require("./context");
const { CallResponse } = require("./call");
const { Provider, Stream } = require("./provider");
const { ID, Table, UpdateResult } = require("./kademlia");
const { getAvailableAddress, splitHostPort } = require("./ip");
const { Session } = require("./session");
const { drain, lengthPrefixed, prefixLength } = require("./frames");
const { FlatendError } = require("./errors");
const keys = require("./keys");
const { fromFetch } = require("./fetch");
const { fromHttp } = require("./http");

// The names are written out so that ES modules and bundlers see them.
module.exports = {
    Node,
    Context,
    Provider,
    Stream,
    CallResponse,
    FlatendError,
    ID,
    Table,
    UpdateResult,
    Session,
    generateSecretKey: keys.generateSecretKey,
    loadSecretKey: keys.loadSecretKey,
    loadOrCreateSecretKey: keys.loadOrCreateSecretKey,
    saveSecretKey: keys.saveSecretKey,
    publicKey: keys.publicKey,
    loadMeshSecret: keys.loadMeshSecret,
    splitHostPort,
    getAvailableAddress,
    drain,
    lengthPrefixed,
    prefixLength,
    fromHttp,
    fromFetch,
    version: native.version(),
};
