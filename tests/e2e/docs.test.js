// What the documentation shows and lists, held against the programs. docs/c-api.md: c_api.test.js.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { build, repository, scratch } from "./lib/mesh.js";
import { run } from "./lib/program.js";
import { makeCertificate } from "./lib/tls.js";

const read = (path) => readFileSync(join(repository, path), "utf8");

function blocks(path, language) {
    const fences = read(path).matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"));
    return [...fences].map(([, text]) => text);
}

test("the configurations of the documentation are valid", async (t) => {
    const pages = ["README.md", "docs/configuration.md", "docs/https.md"];
    const texts = pages.flatMap((page) => blocks(page, "toml"));
    assert.ok(texts.length >= 5);
    for (const text of texts) {
        const cwd = scratch(t);
        mkdirSync(join(cwd, "public"));
        makeCertificate(cwd, "example", ["example.com", "www.example.com"]);
        const secret = ["keygen", "--mesh-secret", join(cwd, "mesh.secret")];
        assert.equal((await run(t, join(build, "flatend"), secret)).code, 0);
        writeFileSync(join(cwd, "config.toml"), text);
        const { code, output } = await run(t, join(build, "flatend"), ["check"], { cwd });
        assert.equal(code, 0, output);
    }
});

test("manual, page and --help name the same flags", async (t) => {
    const { output } = await run(t, join(build, "flatend"), ["--help"]);
    const flags = [...output.matchAll(/(?<=[ ,])(--?[\w-]+)/g)].map(([flag]) => flag);
    assert.ok(flags.length >= 9);
    const manual = read("packaging/flatend.1").replaceAll("\\-", "-");
    const page = read("docs/configuration.md");
    for (const flag of flags) {
        assert.match(manual, new RegExp(`^\\.BR .*${flag}\\b`, "m"));
        assert.match(page, new RegExp(`^\\|.*\`${flag}\\b`, "m"));
    }
});

test("every status of the gateway's own is explained", () => {
    const page = read("docs/gateway.md");
    const explained = [...page.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, list]) => list.split(", "));
    const sources = ["src/gateway", "src/web"].flatMap((folder) =>
        readdirSync(join(repository, folder), { recursive: true })
            .filter((name) => name.endsWith(".c")).map((name) => read(join(folder, name))));
    const given = sources.flatMap((text) =>
        [...text.matchAll(/(?:refuse|respond|respond_with|answer|fail)\([^;]*?\b([45]\d\d), "/g)]
            .map(([, status]) => status));
    assert.ok(given.length > 40);
    assert.deepEqual([...new Set(given)].filter((status) => !explained.includes(status)), []);
});

test("links between the documents lead somewhere", () => {
    const inside = (folder) =>
        readdirSync(join(repository, folder), { withFileTypes: true }).flatMap((entry) =>
            entry.isDirectory() ? [] : [join(folder, entry.name)]);
    const examples = readdirSync(join(repository, "examples"), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join("examples", entry.name));
    const documents = [".", "docs", "docs/adr", "docs/formal", ...examples].flatMap(inside).filter((path) => path.endsWith(".md"));
    assert.ok(documents.length > 10);
    for (const document of documents) {
        for (const [, target] of read(document).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
            const path = join(repository, dirname(document), target);
            assert.ok(existsSync(path), `${document} links to ${target}`);
        }
    }
});
