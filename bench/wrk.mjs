// One run of wrk, and what it measured.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const UNITS = { us: 1e-3, ms: 1, s: 1e3, m: 6e4 };

function milliseconds(text) {
    const [, number, unit] = text.match(/^([\d.]+)(us|ms|s|m)$/);
    return Number(number) * UNITS[unit];
}

// Loads `url` with `connections` for `seconds`: { rate (requests a second), p50, p99 (ms) }; with
// `closes` each request has a connection of its own. Throws if a single request failed.
export async function wrk(url, { connections, threads, seconds, closes = false }) {
    const { stdout } = await promisify(execFile)("wrk", [
        "--latency",
        `-t${threads}`,
        `-c${connections}`,
        `-d${seconds}s`,
        ...(closes ? ["-H", "Connection: close"] : []),
        url,
    ]);
    if (/Socket errors|Non-2xx/.test(stdout)) {
        throw new Error(`${url}: requests failed:\n${stdout}`);
    }
    const find = (pattern) => {
        const match = stdout.match(pattern);
        if (!match) {
            throw new Error(`${url}: wrk does not say ${pattern}:\n${stdout}`);
        }
        return match[1];
    };
    const percentile = (p) => milliseconds(find(new RegExp(`^\\s+${p}%\\s+(\\S+)\\s*$`, "m")));
    return {
        rate: Number(find(/^Requests\/sec:\s+([\d.]+)\s*$/m)),
        p50: percentile(50),
        p99: percentile(99),
    };
}
