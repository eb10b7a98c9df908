"use strict";
// docs/sdks.md names every option and function of the C API, and nothing that the SDK has not.
const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { test } = require("node:test");

const repository = join(__dirname, "../../..");
const read = (path) => readFileSync(join(repository, path), "utf8");
const header = read("include/flatend.h").replace(/\/\*[^]*?\*\//g, "");
const types = read("sdk/node/lib/index.d.ts");

// The rows of a section: their cells.
function rows(section) {
    const text = read("docs/sdks.md").split(`## ${section}\n`)[1].split("\n## ")[0];
    return text.split("\n").filter((line) => line.startsWith("| ")).slice(1)
        .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

const plain = (cell) => cell.replaceAll("`", "");

test("each option and each function of the C API has its row, and no other", () => {
    const struct = header.match(/struct flatend_options \{([^]*?)\n\};/)[1];
    const fields = struct.split(";").map((line) => line.trim().match(/(\w+)$/)?.[1]).filter(Boolean);
    assert.deepEqual(rows("Options").map(([name]) => plain(name)), fields);
    const functions = [...new Set([...header.matchAll(/\b(flatend_[a-z_0-9]+)\(/g)].map(([, name]) => name))];
    assert.deepEqual(rows("Functions").map(([name]) => plain(name)), functions);
    assert.ok(fields.length > 20 && functions.length > 60);
});

// `Context.send` is a member of the class or interface Context, `version` an export.
function isThere(name) {
    const [owner, member] = name.split(".");
    const declared = new RegExp(`^export (?:const|type|class|interface|function) ${owner}\\b[^]*?(?=^export |$(?![^]))`, "m");
    const text = types.match(declared)?.[0];
    if (text === undefined || member === undefined) {
        return text !== undefined;
    }
    return new RegExp(`^ +(?:static |readonly |get |set )*${member}\\??[(:<]`, "m").test(text) ||
        (owner === "FlatendError" && member === "message");
}

test("each cell is a name of the SDK's, or a reason", () => {
    const cells = [...rows("Options").map((row) => row[2]), ...rows("Functions").map((row) => row[1]),
        ...rows("What only an SDK has").map((row) => row[1])];
    for (const cell of cells) {
        if (cell.startsWith("–")) {
            assert.match(cell, /^– \(.+\)$/);
            continue;
        }
        const names = [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
        assert.ok(names.length > 0, cell);
        for (const name of names) {
            assert.ok(isThere(name), `${name} is not in the types`);
        }
    }
    assert.ok(!isThere("Context.nothing") && !isThere("Nothing"));
});
