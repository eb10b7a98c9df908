// One run of h2load, and what it measured.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

// Loads `url` over HTTP/2 (over HTTP/1.1 with `http1`) with `connections` of `streams` requests each at a time, for
// `seconds`, or with exactly so many `requests`: { rate (requests a second) }. Throws if a single request failed.
export async function h2load(url, { connections, streams = 1, threads = 1, seconds, requests, http1 = false }) {
    const { stdout } = await promisify(execFile)("h2load", [
        `-t${threads}`,
        `-c${connections}`,
        `-m${streams}`,
        ...(requests ? [`-n${requests}`] : [`-D${seconds}`, "--warm-up-time=500ms"]),
        ...(http1 ? ["--h1"] : []),
        url,
    ]);
    const rate = stdout.match(/^finished in [^,]+, ([\d.]+) req\/s/m);
    const bad = stdout.match(/(\d+) failed, (\d+) errored, (\d+) timeout/);
    if (!rate || !bad || bad.slice(1).some((n) => n !== "0") || !/ 0 3xx, 0 4xx, 0 5xx/.test(stdout)) {
        throw new Error(`${url}: requests failed:\n${stdout}`);
    }
    return { rate: Number(rate[1]) };
}
