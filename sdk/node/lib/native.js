"use strict";
// The addon: the mesh itself, in C.
const { existsSync } = require("node:fs");
const { join, resolve } = require("node:path");

const platform = `${process.platform}-${process.arch}`;

// Where an addon may be, the first one wins: the one that was asked for, the one that came with the
// package, the one that was built from source.
function candidates() {
    const asked = environment("FLATEND_NODE_ADDON");
    if (asked) {
        return [resolve(asked)];
    }
    const root = join(__dirname, "..");
    return [
        join(root, "prebuilds", platform, "flatend.node"),
        join(root, "build", "flatend.node"),
    ].filter((path) => existsSync(path));
}

function environment(name) {
    try {
        return process.env[name];
    } catch {
        return undefined; // Deno without --allow-env
    }
}

function refuse(why, cause) {
    const error = new Error(
        `flatend: no addon for ${platform}: ${why}. The package has addons for linux-x64 and linux-arm64 ` +
            "with glibc 2.34 or later; elsewhere it has to be built from source (docs/node.md, Platforms)",
        { cause },
    );
    error.code = "ERR_FLATEND_ADDON";
    return error;
}

function load() {
    const paths = candidates();
    if (paths.length === 0) {
        throw refuse("there is no file flatend.node");
    }
    try {
        return require(paths[0]);
    } catch (error) {
        throw refuse(String(error.message).split("\n", 1)[0], error);
    }
}

module.exports = load();
