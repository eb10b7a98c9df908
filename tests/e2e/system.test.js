// The gateway on systems that are not as they should be: calls that are refused, descriptors that are
// closed, outputs that take nothing, and what ends a process.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build, Gateway, scratch } from "./lib/mesh.js";
import { request } from "./lib/http.js";
import { run } from "./lib/program.js";

const flatend = join(build, "flatend");
const refuse = join(build, "tests/refuse");

// ---- openat2 ----

function site(t) {
    const folder = scratch(t);
    mkdirSync(join(folder, "public/sub"), { recursive: true });
    writeFileSync(join(folder, "secret"), "secret");
    writeFileSync(join(folder, "public/index.html"), "home");
    writeFileSync(join(folder, "public/sub/file.txt"), "file");
    symlinkSync("../secret", join(folder, "public/out"));
    symlinkSync("sub/../index.html", join(folder, "public/in"));
    return { path: "GET /", static: join(folder, "public") };
}

for (const error of ["EPERM", "ENOSYS"]) {
    test(`openat2 answers ${error}: files are served, nothing else is, and the log says how`, async (t) => {
        const gateway = await Gateway.start(t, { routes: [site(t)], prefix: [refuse, "openat2", error] });
        assert.match(gateway.program.output, /This system refuses openat2 \(.*\): files .* name by name/);
        for (const [path, status] of [["/", 200], ["/in", 200], ["/sub/file.txt", 200], ["/sub", 301],
            ["/out", 404], ["/sub/..%2f..%2fsecret", 404], ["/missing", 404]]) {
            assert.equal((await request(gateway.url(path))).status, status, path);
        }
        const { code, output } = await run(t, refuse, ["openat2", error, flatend, "check"],
            { cwd: gateway.folder });
        assert.equal(code, 0, output);
        assert.match(output, /This system refuses openat2/);
    });
}
