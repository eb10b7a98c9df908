// One run of handshakes.c, and what it measured.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { release } from "../tests/e2e/lib/mesh.js";

// Asks for `url` (of 127.0.0.1) over `connections` at a time for `seconds`, each of them new and not
// resumed: { rate (requests a second) }. Throws if a single one failed.
export async function handshakes(url, { connections, seconds }) {
    const { port, pathname } = new URL(url);
    const { stdout } = await promisify(execFile)(join(release, "bench/handshakes"),
        [port, pathname, `${connections}`, `${seconds}`]);
    return { rate: Number(stdout) };
}
