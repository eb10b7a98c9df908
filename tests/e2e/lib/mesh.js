// The programs of this repository, put together on ports of their own.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./ports.js";
import { Program, run } from "./program.js";

export { freePort };

export const repository = join(dirname(fileURLToPath(import.meta.url)), "../../..");

// Where the programs are: FLATEND_BUILD_DIR (sanitized) and FLATEND_RELEASE_DIR (what is measured).
export const build = process.env.FLATEND_BUILD_DIR ?? join(repository, "build");
export const release = process.env.FLATEND_RELEASE_DIR ?? join(repository, "build");

const npmNode = join(repository, "tests/e2e/peers/node.cjs");

// A program that is a node on the Go module flatend and takes the settings of peers/node.cjs
// (docs/quality.md: "Old nodes in the tests").
export const goNode = process.env.FLATEND_GO_NODE;

export function scratch(t) {
    const folder = mkdtempSync(join(tmpdir(), "flatend-e2e-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
}

function toml(table) {
    const values = Object.entries(table).filter(([, value]) => value !== undefined);
    return values.map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join("");
}

// A gateway with these `routes`. `http`, `timeout`, `min` and `max` are the tables of [[http]],
// `certificates` those of [[http.certificates]]; `mesh` is [mesh], and its `services` the tables below
// it. `descriptors` is how many it may have, `prefix` what the command is run by, `host` where its node
// listens.
export class Gateway {
    constructor(t, settings) {
        this.t = t;
        this.settings = settings;
        this.folder = scratch(t);
    }

    static async start(t, settings) {
        const gateway = new Gateway(t, settings);
        // Between looking for a free port and listening on it, another process may take it.
        for (let attempt = 1; ; attempt++) {
            gateway.nodePort = await freePort();
            gateway.httpPort = await freePort();
            try {
                await gateway.start();
                return gateway;
            } catch (error) {
                if (attempt === 5 || !gateway.program.output.includes("address already in use")) {
                    throw error;
                }
                gateway.program.mayFail = true;
            }
        }
    }

    get address() {
        return `${this.settings.host ?? "127.0.0.1"}:${this.nodePort}`;
    }

    url(path, host = "127.0.0.1") {
        const scheme = this.settings.http?.https ? "https" : "http";
        return `${scheme}://${host}:${this.httpPort}${path}`;
    }

    // Of the local CA, made at the first start with https = "local".
    get ca() {
        return join(this.folder, "state/local/ca.pem");
    }

    config() {
        const { routes = [], http = {}, timeout = {}, min = {}, max = {}, certificates = [] } =
            this.settings;
        const { services = [], ...mesh } = this.settings.mesh ?? {};
        // No CA in the internet is asked for anything: tests/e2e/acme.test.js has its own.
        return (
            `addr = "${this.address}"\nstate_dir = "state"\n` +
            (this.settings.workers ? `workers = ${this.settings.workers}\n\n` : "\n") +
            `[acme]\ndirectory = "https://127.0.0.1:1/"\n\n[mesh]\n${toml(mesh)}` +
            services.map((service) => `\n[[mesh.services]]\n${toml(service)}`).join("") +
            `\n[[http]]\naddr = "127.0.0.1:${this.httpPort}"\n` +
            `${toml(http)}\n[http.timeout]\n${toml(timeout)}\n[http.min]\n${toml(min)}\n` +
            `[http.max]\n${toml(max)}` +
            certificates.map((pair) => `\n[[http.certificates]]\n${toml(pair)}`).join("") +
            routes.map((route) => `\n[[http.routes]]\n${toml(route)}`).join("")
        );
    }

    // Also after kill() or stop(): on the same ports again.
    async start() {
        const path = join(this.folder, "config.toml");
        writeFileSync(path, this.config());
        const limit = this.settings.descriptors
            ? ["prlimit", `--nofile=${this.settings.descriptors}`]
            : [];
        const prefix = [...(this.settings.prefix ?? []), ...limit];
        const command = join(this.settings.release ? release : build, "flatend");
        this.program = new Program(this.t, ...withPrefix(prefix, command, ["--config", path]), {
            cwd: this.folder,
            env: { ...process.env, ...this.settings.env },
        });
        await this.program.waitFor(/Listening for HTTPS? requests on/);
    }

    // With two workers: gives the first one a client, so that the next comes to the other one.
    async occupyFirstWorker() {
        const socket = connect(this.httpPort, "127.0.0.1");
        this.t.after(() => socket.destroy());
        socket.write("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
        await once(socket, "data"); // it has been counted
    }

    // Waits until some node that provides `service` has joined.
    async joined(service) {
        return this.program.waitFor(
            new RegExp(`has connected to you\\. Services: \\[.*\\b${service}\\b.*\\]`),
        );
    }
}

// A node of ours that tests steer (peers/peer.c says how).
export class Peer extends Program {
    static commandLine(args, prefix = []) {
        return withPrefix(prefix, join(build, "tests/peer"), args);
    }

    static async start(t, args, { prefix = [], ...options } = {}) {
        const peer = new Peer(t, ...Peer.commandLine(args, prefix), options);
        await peer.waitFor("ready");
        return peer;
    }

    // Sends a command, and waits for what became of it: "OK", "ENOENT" ...
    async command(line) {
        this.child.stdin.write(`${line}\n`);
        const answer = await this.waitFor(`${line}: `);
        return answer.slice(answer.indexOf(`${line}: `) + line.length + 2);
    }
}

// Makes a secret key in `folder`: { path, id }.
export async function makeKey(t, folder, name) {
    const path = join(folder, name);
    const { code, output } = await run(t, join(build, "flatend"), ["keygen", path]);
    if (code !== 0) {
        throw new Error(output);
    }
    return { path, id: output };
}

// The command and its arguments, run by another command if there is one.
function withPrefix(prefix, command, args) {
    const [first, ...rest] = [...prefix, command, ...args];
    return [first, rest];
}

// An example of ours as a service behind `gateway`, connected.
export async function example(t, name, gateway,
    { args = [], service = name, release: fast, cwd = repository, prefix = [], env = process.env } = {}) {
    const command = join(fast ? release : build, "examples", name);
    const line = withPrefix(prefix, command, [...args, gateway.address]);
    const program = new Program(t, ...line, { cwd, env });
    await program.waitFor(`You are now connected to ${gateway.address}.`);
    await gateway.joined(service);
    return program;
}

// An old peer: a program that takes its settings as JSON, says "ready" when it has started, and makes the
// requests that its input asks for (peers/node.cjs says how).
export class OldPeer extends Program {
    // On the npm package flatend 0.0.8.
    constructor(t, settings, [command, ...args] = [process.execPath, npmNode]) {
        super(t, command, [...args, JSON.stringify(settings)], {
            env: { ...process.env, DEBUG: "flatend" },
        });
    }

    static async start(t, settings, command) {
        const peer = new OldPeer(t, settings, command);
        await peer.waitFor(/^ready$/);
        return peer;
    }

    // Requests a service as the package's users do: { headers, length, sha256, text }.
    async push(services, headers = {}, body = {}) {
        this.child.stdin.write(`${JSON.stringify({ services, headers, body })}\n`);
        const line = await this.waitFor(/^answer /);
        return JSON.parse(line.slice("answer ".length));
    }
}
