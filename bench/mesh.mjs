// The mesh by itself: one connection between two nodes of ours (mesh.c), each on a core of its own, beside
// what encryption and TCP alone can do on these cores.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, release } from "../tests/e2e/lib/mesh.js";
import { Program } from "../tests/e2e/lib/program.js";
import { compareRuns } from "./alternate.mjs";

const exec = promisify(execFile);
const program = join(release, "bench/mesh");

// Runs a command on one core; its standard output.
async function pinned(core, command, ...args) {
    const { stdout } = await exec("taskset", ["-c", `${core}`, command, ...args]);
    return stdout;
}

// Bytes a second, or calls a second.
async function flatend(address, mode, seconds, ...rest) {
    return Number(await pinned(1, program, mode, address, `${seconds}`, ...rest));
}

// AES-256-GCM in pieces of 16 KiB, one core, nothing else.
async function openssl(seconds) {
    const text = await pinned(1, "openssl", "speed", "-evp", "aes-256-gcm", "-bytes", "16384",
        "-seconds", `${seconds}`);
    return Number(text.match(/AES-256-GCM\s+([\d.]+)k/)[1]) * 1000;
}

// Plain TCP over loopback.
async function tcp(port, seconds) {
    const text = await pinned(1, "iperf3", "-c", "127.0.0.1", "-p", `${port}`, "-t", `${seconds}`,
        "-l", "256K", "--json");
    return JSON.parse(text).end.sum_received.bits_per_second / 8;
}

// Rows for report.mjs.
export async function measureMesh(t, pairs, seconds) {
    const address = `127.0.0.1:${await freePort()}`;
    const port = await freePort();
    const server = new Program(t, "taskset", ["-c", "0", program, "serve", address]);
    await server.waitFor("Listening for Flatend nodes");
    const iperf = new Program(t, "taskset", ["-c", "0", "iperf3", "-s", "--forceflush", "-p", `${port}`]);
    iperf.mayFail = true;
    await iperf.waitFor("Server listening");

    const streams = [
        ["flatend", () => flatend(address, "stream", seconds)],
        ["openssl speed aes-256-gcm, 16 KiB", () => openssl(seconds)],
        ["iperf3, plain TCP", () => tcp(port, seconds)],
    ];
    const calls = [["flatend", () => flatend(address, "calls", seconds, "64")]];
    return [
        ...(await compareRuns("one stream, a core a side", "bytes", pairs, streams)),
        ...(await compareRuns("calls of 64 bytes, 64 at a time", "calls", pairs, calls)),
    ];
}
