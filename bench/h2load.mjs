// One run of h2load, and what it measured.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

// Loads `url` over HTTP/2 with `connections` of `streams` requests each at a time, for
// `seconds`: { rate (requests a second) }. Throws if a single request failed.
export async function h2load(url, { connections, streams, threads, seconds }) {
    const { stdout } = await promisify(execFile)("h2load", [
        `-t${threads}`,
        `-c${connections}`,
        `-m${streams}`,
        `-D${seconds}`,
        "--warm-up-time=500ms",
        url,
    ]);
    const rate = stdout.match(/^finished in [^,]+, ([\d.]+) req\/s/m);
    const bad = stdout.match(/(\d+) failed, (\d+) errored, (\d+) timeout/);
    if (!rate || !bad || bad.slice(1).some((n) => n !== "0") || !/ 0 3xx, 0 4xx, 0 5xx/.test(stdout)) {
        throw new Error(`${url}: requests failed:\n${stdout}`);
    }
    return { rate: Number(rate[1]) };
}
