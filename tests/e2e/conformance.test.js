// docs/conformance.md: what it names is there, and its count is right.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "./lib/mesh.js";
import { run } from "./lib/program.js";

const page = readFileSync(join(repository, "docs/conformance.md"), "utf8");
const requirements = [...page.matchAll(/^## RFC (\d+):.*?(?=^## )/gms)].flatMap(([text, rfc]) =>
    [...text.matchAll(/^\| (\S+) \| (MUST|MUST NOT|SHOULD|SHOULD NOT|RECOMMENDED) \| (.*) \| (.*) \| (.*) \|$/gm)]
        .map(([, section, level, , where, test]) => ({ rfc, section, level, where, test })));

const spans = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, span]) => span);

// "path", "path:function", "path:"title"" below `folder`.
function find(folder, span) {
    const [, path, name, title] = span.match(/^([\w./]+\.[chj]s?)(?::(?:(\w+)|"(.*)"))?$/) ?? [];
    if (!path || !existsSync(join(repository, folder, path))) {
        return false;
    }
    const text = readFileSync(join(repository, folder, path), "utf8");
    if (title) {
        return text.includes(`"${title}"`);
    }
    return !name || new RegExp(`^[A-Za-z].*\\b${name}\\(`, "m").test(text);
}

test("what the page names is there", async (t) => {
    const { output } = await run(t, join(repository, "build/tools/h2spec"), ["--dryrun", "-S"]);
    const suite = output.slice(output.indexOf("Hypertext Transfer Protocol Version 2"));
    assert.ok(requirements.length > 250);
    for (const { rfc, section, where, test } of requirements) {
        const at = `RFC ${rfc} §${section}`;
        for (const span of spans(where)) {
            assert.ok(find("src", span), `${at}: ${span}`);
        }
        for (const span of spans(test).filter((span) => /[/:]|^h2spec/.test(span))) {
            const [, cases] = span.match(/^h2spec ([\d.]+)$/) ?? [];
            assert.ok(cases ? suite.includes(` ${cases}. `) : find("tests", span), `${at}: ${span}`);
        }
    }
});

test("each requirement is done and held somewhere, or has its reason", () => {
    for (const { rfc, section, where, test } of requirements) {
        const isExcused = /^(\*\*not followed\*\*|does not arise): ./.test(test);
        const at = `RFC ${rfc} §${section}`;
        assert.ok(isExcused || (where !== "" && test !== ""), at);
    }
});

test("the count is right", () => {
    const count = (some) => {
        const excused = (how) => some.filter(({ test }) => test.startsWith(how)).length;
        const [open, none] = [excused("**not followed**"), excused("does not arise")];
        return [some.length, some.length - open - none, none, open].join(" | ");
    };
    const rows = [
        ...["9110", "9111", "9112", "9113"].map((rfc) =>
            [`RFC ${rfc}`, requirements.filter((one) => one.rfc === rfc)]),
        ["together", requirements],
        ...["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "RECOMMENDED"].map((level) =>
            [`of them ${level}`, requirements.filter((one) => one.level === level)]),
    ];
    for (const [name, some] of rows) {
        assert.ok(page.includes(`| ${name} | ${count(some)} |`), `${name}: ${count(some)}`);
    }
});
