"use strict";
// SQLite as the runtime has it; else the package better-sqlite3. All three prepare statements with all, get and run.

function builtIn(name) {
    try {
        return require(name);
    } catch (error) {
        if (/^ERR_UNKNOWN_BUILTIN_MODULE$|^MODULE_NOT_FOUND$/.test(error.code)) {
            return undefined;
        }
        throw error;
    }
}

function open(path) {
    if (process.versions.bun) {
        const { Database } = require("bun:sqlite");
        return new Database(path);
    }
    const sqlite = builtIn("node:sqlite");
    if (sqlite) {
        return new sqlite.DatabaseSync(path);
    }
    const Database = builtIn("better-sqlite3");
    if (!Database) {
        throw new Error("this runtime has no SQLite: npm install better-sqlite3@12");
    }
    return new Database(path);
}

module.exports = { open };
