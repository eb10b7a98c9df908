"use strict";
// docs/node.md: each example runs, and the tables say what is there.
const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { test } = require("node:test");
const { e2e, flatend, inTime, isNode, pair, script, start } = require("./lib/mesh.js");

const repository = join(__dirname, "../../..");
const page = readFileSync(join(repository, "docs/node.md"), "utf8");
const snippets = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text);

const isProgram = (text) => /require\("flatend"\)|from "flatend"/.test(text);
const handlersOf = (text) => [...text.matchAll(/^const (\w+) = /gm)].map(([, name]) => name);
const title = (text) => text.split("\n").find((line) => line !== "").slice(0, 50);
const AsyncFunction = (async () => {}).constructor;

const users = {
    "users.get": async (ctx) => ({ name: `user ${JSON.parse(await ctx.body()).id}` }),
    "log.tail": async function* tail() {
        for (;;) {
            yield Buffer.alloc(50_000);
        }
    },
};

// ---- programs ----

for (const text of snippets.filter(isProgram)) {
    test(`program: ${text.includes("import ") ? "ES module, " : ""}${title(text)} ${text.length}`, async (t) => {
        const { Gateway } = await e2e();
        const gateway = await Gateway.start(t, { routes: [{ path: "GET /hello", service: "hello_world" }] });
        gateway.program.mayFail = !isNode;
        const source = text.replaceAll("127.0.0.1:9000", gateway.address);
        const program = await script(t, source, { name: text.includes("import ") ? "index.mjs" : "index.cjs" });
        if (text.includes("hello_world")) {
            await gateway.joined("hello_world");
            const response = await inTime(fetch(gateway.url("/hello")));
            assert.match(await response.text(), /^Hello (world!|\/hello)$/);
            assert.equal(response.status, 200);
        } else {
            assert.equal((await program.exit()).code, 0);
        }
        assert.ok(!/Error/.test(program.output), program.output);
        for (const [, said] of text.matchAll(/console\.log\(.*\); +\/\/ (\{.*\})$/gm)) {
            assert.ok(program.lines.includes(said), program.output);
        }
    });
}

// ---- pieces of programs ----

const EXPECTED = { missing: 404, taken: 409, thrown: 500, gone: 410, limited: 413, login: 201, made: 201, form: 413 };

function evaluate(text, names, node) {
    const body = `${text}\nreturn { ${names.join(", ")} };`;
    return new AsyncFunction("require", "__filename", "node", "console", body)(require, __filename, node, { log() {} });
}

for (const text of snippets.filter((one) => !isProgram(one) && !/\bnode\./.test(one.replaceAll("ctx.node.", "")))) {
    test(`handlers: ${title(text)}`, async (t) => {
        const defined = handlersOf(text).filter((name) => name !== "fs");
        const services = await evaluate(text, defined);
        const { client } = await pair(t, { ...users, ...services }, { client: { secretKey: flatend.generateSecretKey() } });
        for (const name of defined) {
            const response = await inTime(client.call(name, { body: "x".repeat(20_000), headers: { cookie: "user=me" } }), name);
            assert.equal(response.status, EXPECTED[name] ?? 200, `${name}: ${await response.text()}`);
            await inTime(response.bytes(), name);
        }
    });
}

for (const text of snippets.filter((one) => !isProgram(one) && /\bnode\./.test(one.replaceAll("ctx.node.", "")))) {
    test(`on a node: ${title(text)}`, async (t) => {
        const { client } = await pair(t, users);
        await inTime(evaluate(text, [], client), "its end");
    });
}

test("there are examples of each kind", () => {
    assert.ok(snippets.length >= 16, String(snippets.length));
});

// ---- tables ----

// The rows of the table whose head begins with `first`, as lists of cells.
function rows(first) {
    const lines = page.slice(page.indexOf(`| ${first} |`)).split("\n");
    const end = lines.findIndex((line) => !line.startsWith("|"));
    return lines.slice(2, end).map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()));
}

const names = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);

test("the table of options is that of Node.start", () => {
    const types = readFileSync(join(__dirname, "../lib/index.d.ts"), "utf8");
    const declared = types.match(/interface NodeOptions \{(.*?)^\}/ms)[1];
    const typed = [...declared.matchAll(/^ {4}(\w+)\?:/gm)].map(([, name]) => name);
    assert.deepEqual(rows("option").flatMap(([cell]) => names(cell)).sort(), typed.sort());
});

// Names and public members of the package of 2020, out of its types.
function membersOf2020() {
    const folder = join(repository, "tests/e2e/node_modules/flatend/dist");
    const exported = [...readFileSync(join(folder, "index.d.ts"), "utf8").matchAll(/\{([^}]*)\}/g)]
        .flatMap(([, list]) => list.split(",")).map((name) => name.trim()).filter(Boolean);
    const members = [];
    for (const file of ["context", "kademlia", "node", "provider", "session", "stream"]) {
        const text = readFileSync(join(folder, `${file}.d.ts`), "utf8");
        for (const [, name, body] of text.matchAll(/^export declare class (\w+)[^{]*\{(.*?)^\}/gms)) {
            for (const [, member] of body.matchAll(/^ {4}(?:static |get )?([a-zA-Z]\w*)\??[(:]/gm)) {
                members.push(`${name}.${member}`);
            }
        }
    }
    return [...exported, ...members.filter((member) => !member.endsWith(".constructor"))];
}

test("each name of 0.0.8 is kept, or listed with the reason", async (t) => {
    const table = new Map();
    for (const [cell, fate, why] of rows("member | now")) {
        for (const name of names(cell)) {
            table.set(name, fate);
        }
        assert.ok(fate === "kept" || (fate === "gone" && why !== ""), cell);
    }
    const all = new Set(membersOf2020());
    assert.ok(all.size > 80, String(all.size));
    assert.deepEqual([...all].filter((name) => !table.has(name)), []);
    assert.deepEqual([...table.keys()].filter((name) => !all.has(name)), []);

    const node = await start(t, { secretKey: flatend.generateSecretKey(), bindAddrs: ["127.0.0.1:0"] });
    const id = node.id;
    const provider = new flatend.Provider(node, 1n, id);
    const objects = {
        Node: node, ID: id, Table: node.table, Provider: provider, Session: new flatend.Session(Buffer.alloc(32)),
        Context: flatend.Context.prototype, Stream: { id: 1, headers: {}, body: {} },
    };
    for (const [name, fate] of table) {
        const [owner, member] = name.split(".");
        const has = member === undefined
            ? owner in flatend
            : member in (objects[owner] ?? {}) || member in (flatend[owner] ?? {});
        assert.equal(has, fate === "kept", name);
    }
});
