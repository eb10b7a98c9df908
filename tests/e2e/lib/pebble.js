// Pebble, a real ACME server, on ports of its own, with a DNS server that sends every name here;
// and a gateway that gets its certificates there.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { build, freePort, scratch } from "./mesh.js";
import { Program } from "./program.js";

function openssl(folder, ...args) {
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "ignore"] });
}

// A CA in `folder` (ca.pem), and a certificate for localhost (server.pem, server.key).
export function localhostCertificate(folder) {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    openssl(folder, "req", "-x509", ...key, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem",
        "-subj", "/CN=CA of the test");
    openssl(folder, "req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=x");
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-days", "2", "-out", "server.pem", "-extfile", "names");
}

export class Pebble {
    // `settings` are added to its configuration, `env` to its environment.
    static async start(t, { settings = {}, env = {} } = {}) {
        const pebble = new Pebble();
        pebble.folder = scratch(t);
        localhostCertificate(pebble.folder);
        for (let attempt = 1; ; attempt++) {
            try {
                await pebble.#start(t, settings, env);
                return pebble;
            } catch (error) {
                if (attempt === 5 || !/address already in use/.test(String(error))) {
                    throw error;
                }
            }
        }
    }

    async #start(t, settings, env) {
        const dns = await freePort();
        const management = await freePort();
        Object.assign(this, {
            dnsPort: management,
            port: await freePort(),
            managementPort: await freePort(),
            httpPort: await freePort(), // where it looks for HTTP-01
            tlsPort: await freePort(), // and for TLS-ALPN-01
        });
        const config = {
            listenAddress: `127.0.0.1:${this.port}`,
            managementListenAddress: `127.0.0.1:${this.managementPort}`,
            certificate: "server.pem",
            privateKey: "server.key",
            httpPort: this.httpPort,
            tlsPort: this.tlsPort,
            ocspResponderURL: "",
            externalAccountBindingRequired: false,
            ...settings,
        };
        writeFileSync(join(this.folder, "pebble.json"), JSON.stringify({ pebble: config }));
        this.dns = new Program(t, "pebble-challtestsrv", ["-http01", "", "-https01", "",
            "-tlsalpn01", "", "-dns01", `127.0.0.1:${dns}`, "-management",
            `127.0.0.1:${management}`, "-defaultIPv6", ""]);
        this.dns.mayFail = true;
        await this.dns.waitFor("Starting management server");
        this.program = new Program(t, "pebble",
            ["-config", "pebble.json", "-dnsserver", `127.0.0.1:${dns}`], {
                cwd: this.folder,
                env: { ...process.env, PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "0",
                    PEBBLE_AUTHZREUSE: "0", ...env },
            });
        this.program.mayFail = true; // it ends with the signal
        await this.program.waitFor(/ACME directory available/);
        this.root = await this.#fetch("/roots/0");
    }

    get directory() {
        return `https://localhost:${this.port}/dir`;
    }

    get ca() {
        return join(this.folder, "ca.pem");
    }

    // How many accounts have been made.
    get accounts() {
        return this.program.lines.filter((line) => line.includes("accounts in memory")).length;
    }

    // Whether looking `host` up fails, so that it cannot be proved.
    async setFailing(host, fails) {
        const url = `http://127.0.0.1:${this.dnsPort}/${fails ? "set" : "clear"}-servfail`;
        const response = await fetch(url, { method: "POST", body: JSON.stringify({ host }) });
        if (!response.ok) {
            throw new Error(`${url}: status ${response.status}`);
        }
    }

    #fetch(path) {
        const ca = readFileSync(this.ca);
        return new Promise((resolve, reject) => {
            https.get({ host: "localhost", port: this.managementPort, path, ca }, (response) => {
                const chunks = [];
                response.on("data", (chunk) => chunks.push(chunk));
                response.on("end", () => resolve(Buffer.concat(chunks).toString()));
            }).on("error", reject);
        });
    }
}

// A gateway that serves the file `hello` under https, with certificates from `pebble`.
export class AcmeGateway {
    constructor(t, pebble, settings = {}) {
        this.t = t;
        this.pebble = pebble;
        this.settings = settings;
        t.after(() => this.program?.stop()); // before its files are removed
        this.folder = scratch(t);
        this.httpsPort = settings.httpsPort ?? pebble.tlsPort;
        this.state = settings.state ?? join(this.folder, "state");
        writeFileSync(join(this.folder, "hello"), "Hello world!");
        writeFileSync(join(this.folder, "config.toml"), this.config());
    }

    static async start(t, pebble, settings) {
        const gateway = new AcmeGateway(t, pebble, settings);
        await gateway.start();
        return gateway;
    }

    config() {
        const { acme = {}, domains = ["a.test", "b.test"], redirect, plain } = this.settings;
        const table = { directory: this.pebble.directory, ca_file: this.pebble.ca,
            retry_min: "300ms", ...acme };
        const lines = Object.entries(table).filter(([, value]) => value !== undefined)
            .map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
        return `addr = "127.0.0.1:0"\nstate_dir = ${JSON.stringify(this.state)}\n\n[acme]\n` +
            `${lines.join("\n")}\n\n[[http]]\nhttps = true\ndomains = ${JSON.stringify(domains)}\n` +
            `addr = "127.0.0.1:${this.httpsPort}"\nredirect_http = ` +
            `${redirect === false ? "false" : `"127.0.0.1:${this.pebble.httpPort}"`}\n` +
            `[[http.routes]]\npath = "GET /hello"\nstatic = "hello"\n` +
            (plain ? `[[http]]\naddr = "127.0.0.1:${plain}"\n[[http.routes]]\n` +
                `path = "GET /hello"\nstatic = "hello"\n` : "");
    }

    async start() {
        // With this umask, a file that is created without a mode can be read by every user.
        this.program = new Program(this.t, "/bin/sh",
            ["-c", 'umask 0; exec "$0"', join(build, "flatend")], { cwd: this.folder });
        await this.program.waitFor("Listening for HTTPS requests on");
    }

    async certified() {
        return this.program.waitFor("New certificate for");
    }

    // The certificate that a client that trusts Pebble gets for `name`: { authorized, serial }.
    handshake(name = "a.test") {
        return new Promise((resolve, reject) => {
            const socket = connect({ host: "127.0.0.1", port: this.httpsPort, servername: name,
                ca: this.pebble.root, rejectUnauthorized: false }, () => {
                const { serialNumber, subjectaltname } = socket.getPeerX509Certificate()
                    .toLegacyObject();
                resolve({ authorized: socket.authorized, serial: serialNumber, subjectaltname });
                socket.destroy();
            });
            socket.on("error", reject);
        });
    }

    // One request on a connection of its own, or of `agent`'s: { status, port (ours), body }.
    request({ name = "a.test", agent = false, path = "/hello" } = {}) {
        return new Promise((resolve, reject) => {
            https.get({ host: "127.0.0.1", port: this.httpsPort, servername: name, path, agent,
                ca: this.pebble.root, headers: { host: name } }, (response) => {
                const chunks = [];
                response.on("data", (chunk) => chunks.push(chunk));
                response.on("error", reject);
                const port = response.socket.localPort;
                response.on("end", () => resolve({ status: response.statusCode, port,
                    body: Buffer.concat(chunks).toString() }));
            }).on("error", reject);
        });
    }

    // Every file and directory of the state, with its mode.
    modes(folder = this.state) {
        const found = [];
        for (const entry of readdirSync(folder, { withFileTypes: true })) {
            const path = join(folder, entry.name);
            found.push({ path, mode: statSync(path).mode & 0o7777, isFolder: entry.isDirectory() });
            if (entry.isDirectory()) {
                found.push(...this.modes(path));
            }
        }
        return found;
    }
}

