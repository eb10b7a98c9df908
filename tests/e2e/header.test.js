// flatend.h in every language and version that it is for, with all warnings; as an application has
// it, not as a system header.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { release, repository, scratch } from "./lib/mesh.js";
import { run } from "./lib/program.js";

const USE = `#include <flatend.h>
#include <flatend.h>
int use(struct flatend_options *options, const struct flatend_id *id);
int use(struct flatend_options *options, const struct flatend_id *id)
{
    flatend_options_init(options, sizeof(*options));
    return FLATEND_EINVAL + (id->is_proven ? FLATEND_OK : FLATEND_EIO);
}
`;

const STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"];
const VERSIONS = {
    c: [["gcc", "clang"], ["c89", "c99", "c11", "c17"]],
    cc: [["g++", "clang++"], ["c++11", "c++14", "c++17", "c++20"]],
};

for (const [suffix, [compilers, versions]] of Object.entries(VERSIONS)) {
    for (const compiler of compilers) {
        test(`flatend.h with ${compiler}: ${versions.join(", ")}`, async (t) => {
            const path = join(scratch(t), `use.${suffix}`);
            writeFileSync(path, USE);
            for (const version of versions) {
                const { code, output } = await run(t, compiler,
                    [`-std=${version}`, ...STRICT, "-I", join(repository, "include"), path]);
                assert.equal(code, 0, `${version}: ${output}`);
            }
        });
    }
}

// Designated initializers are no C++ before C++20: the function is all that an application needs.
test("a C++ program makes a node", async (t) => {
    const folder = scratch(t);
    const path = join(folder, "node.cc");
    writeFileSync(path, `#include <flatend.h>
#include <cstdio>
int main()
{
    flatend_options options;
    flatend_node *node = nullptr;
    flatend_error error;
    flatend_options_init(&options, sizeof(options));
    if (flatend_node_new(&options, &node, &error) != 0) {
        std::puts(error.text);
        return 1;
    }
    flatend_node_free(node);
    return 0;
}
`);
    const program = join(folder, "node");
    const built = await run(t, "g++", ["-std=c++11", ...STRICT.slice(0, 4), path, "-o", program,
        "-I", join(repository, "include"), "-L", release, "-lflatend", `-Wl,-rpath,${release}`]);
    assert.equal(built.code, 0, built.output);
    const { code, output } = await run(t, program, []);
    assert.equal(code, 0, output);
});
