// docs/c-api.md, held against flatend.h, and run.
//
// Each C example of the page is run by one harness, c_api/NAME.c, a program whose first comment says which
// example it is for and, if that prints something, what:
//
//     /* Example: `static void echo(`                  text that is in that example and no other
//      * Prints: `you said: ping`, `another second` */  parts of lines, in any order
//     #include "example.c"                              the example, as it stands on the page
//     #include "mesh.h"                                 nodes on the loopback, EXPECT
//
//     int main(void)
//     {
//         struct mesh mesh = mesh_start("echo", echo, NULL);
//
//         expect_response(mesh.requester, "echo", NULL, 200, "");
//         mesh_stop(&mesh);
//         return 0;
//     }
//
// So a new example takes one more such file, and nothing here. One that is statements and no function is
// included where it is to run. What the example prints is read before its standard input ends
// (wait_for_reader). It runs in a folder of its own, and the address of port 9000 that it names is a free
// port here: EXAMPLE_ADDR.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build, freePort, repository, scratch } from "./lib/mesh.js";
import { Program, run } from "./lib/program.js";

const here = join(repository, "tests/e2e/c_api");
const page = readFileSync(join(repository, "docs/c-api.md"), "utf8");
const header = readFileSync(join(repository, "include/flatend.h"), "utf8");

// ---- the lists ----------------------------------------------------------------------------------

const rows = page.split("\n").filter((line) => line.startsWith("|"));
const words = (texts, pattern) => new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name)));
const minus = (these, those) => [...these].filter((one) => !those.has(one));

test("each function has its row in the API's page, and each row its function", () => {
    const declared = words([header], /^FLATEND_API[^;]*?\b(flatend_\w+)\(/gm);
    const firstCells = rows.map((row) => row.split("|")[1]);
    assert.ok(declared.size > 70);
    assert.deepEqual(minus(declared, words(firstCells, /`(flatend_\w+)`/g)), []);
    // "struct flatend_id" is no function.
    assert.deepEqual(minus(words([page], /`(flatend_\w+)(?:\(.*?\))?`/g), declared), []);
});

test("each error, event, flag, option and other constant is in the API's page", () => {
    const bodies = [...header.matchAll(/^enum[^{;]*\{([^}]*)\}/gm)].map(([, body]) => body);
    const constants = words(bodies, /^\s*(?:\/\*.*\*\/)?\s*(FLATEND_[A-Z0-9_]+)(?= =|,|$| \})/gm);
    const [, fields] = header.match(/^struct flatend_options \{\n([^]*?)^\};/m);
    const options = words([fields], /^ {4}\w[^;]*?(\w+);/gm);
    const errors = words([header], /^ {4}X\((\w+), -\d+/gm);
    const known = words([page], /(FLATEND_[A-Z0-9_]+)/g);
    assert.ok(constants.size > 20 && errors.size > 20 && options.size > 20);
    // "size" is set with the defaults, "n_services" goes with "services".
    const listed = words(rows, /`(\w+)`/g).add("size");
    assert.deepEqual(minus(options, listed).filter((name) => !listed.has(name.replace(/^n_/, ""))), []);
    assert.deepEqual(minus(constants, known), []);
    assert.deepEqual(minus(errors, words(rows, /`FLATEND_(\w+)`/g)), []);
});

// ---- the examples -------------------------------------------------------------------------------

// Each with the line on which it begins.
const examples = [...page.matchAll(/^```c\n(.*?)^```/gms)].map(({ 1: text, index }) => ({
    text, line: page.slice(0, index).split("\n").length + 1,
}));

const harnesses = readdirSync(here).filter((name) => name.endsWith(".c") && name !== "mesh.c").map((name) => {
    const source = readFileSync(join(here, name), "utf8");
    const [comment] = source.match(/^\/\* Example: [^]*?\*\//) ?? [""];
    const marks = (word) =>
        [...(comment.match(`${word}: (.*)`)?.[1] ?? "").matchAll(/`(.*?)`/g)].map(([, mark]) => mark);
    return { name, of: marks("Example")[0], prints: marks("Prints") };
});

const isRunBy = (example, { of }) => of !== undefined && example.text.includes(of);

test("each example of the API's page has one harness that runs it", () => {
    assert.ok(examples.length > 10);
    for (const example of examples) {
        const names = harnesses.filter((harness) => isRunBy(example, harness)).map(({ name }) => name);
        assert.equal(names.length, 1, `run by [${names}]:\n${example.text}`);
    }
    for (const harness of harnesses) {
        const n = examples.filter((example) => isRunBy(example, harness)).length;
        assert.equal(n, 1, `c_api/${harness.name} runs ${n} examples`);
    }
});

// The example, in a file for harnesses to include.
function writeExample(folder, { text, line }, port) {
    const isProgram = text.startsWith("#include");
    const isFunction = text.startsWith("static");
    writeFileSync(join(folder, "example.c"), [
        // Statements are where there are headers already.
        isProgram || !isFunction ? "" : "#include <flatend.h>\n",
        `#line ${line} "docs/c-api.md"\n`,
        text.replaceAll(/\b\d+\.\d+\.\d+\.\d+:9000\b/g, `127.0.0.1:${port}`),
    ].join(""));
}

const STRICT = ["-std=c11", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"];
const LIBRARIES = [join(build, "libflatend.a"), "-luv", "-lsodium", "-lcrypto", "-pthread"];

async function compile(t, folder, args, port) {
    const { code, output } = await run(t, "cc", [
        ...STRICT, `-DEXAMPLE_ADDR="127.0.0.1:${port}"`,
        "-I", join(repository, "include"), "-I", here, "-I", folder, ...args,
    ]);
    assert.equal(code, 0, output);
}

// Waits for a line with each of the texts, in any order.
async function printed(program, texts) {
    const missing = [...texts];
    while (missing.length > 0) {
        const any = missing.map((text) => text.replaceAll(/[^\w ]/g, "\\$&")).join("|");
        const line = await program.waitFor(new RegExp(any));
        missing.splice(missing.findIndex((text) => line.includes(text)), 1);
    }
}

for (const harness of harnesses) {
    const example = examples.find((one) => isRunBy(one, harness));
    test(`the example of docs/c-api.md with ${harness.of}`, { skip: example === undefined }, async (t) => {
        const folder = scratch(t);
        const port = await freePort();
        const helpers = join(folder, "mesh.o");
        const binary = join(folder, "harness");
        writeExample(folder, example, port);
        await compile(t, folder, ["-D_GNU_SOURCE", "-c", join(here, "mesh.c"), "-o", helpers], port);
        await compile(t, folder, [join(here, harness.name), helpers, "-o", binary, ...LIBRARIES], port);
        const program = new Program(t, binary, [], { cwd: folder });
        await printed(program, harness.prints);
        program.child.stdin.end();
        assert.deepEqual(await program.exit(), { code: 0, signal: null }, program.output);
    });
}
