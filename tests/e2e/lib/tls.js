// TLS as clients see it, and certificates made with the openssl command.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { renameSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import tls from "node:tls";

// Writes NAME.pem and NAME.key into `folder`: self-signed, for `domains`, with a serial of its own.
export function makeCertificate(folder, name, domains, { days = 30, mode = "rename" } = {}) {
    const at = (extension) => join(folder, `${name}.${extension}`);
    execFileSync("openssl", [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", at("key.new"), "-out", at("pem.new"), "-days", String(days),
        "-subj", `/CN=${domains[0]}`,
        "-addext", `subjectAltName=${domains.map((domain) => `DNS:${domain}`).join(",")}`,
    ], { stdio: "pipe" });
    if (mode === "rename") {
        renameSync(at("key.new"), at("key"));
        renameSync(at("pem.new"), at("pem"));
    }
    return { cert: at("pem"), key: at("key") };
}

// One request, with the options of node:https too: { status, headers, body }.
export function request(url, { method = "GET", headers = {}, body, ...options } = {}) {
    return new Promise((resolve, reject) => {
        const outgoing = https.request(url, { method, headers, agent: false, ...options }, (response) => {
            const chunks = [];
            response.on("data", (chunk) => chunks.push(chunk));
            response.on("error", reject);
            response.on("end", () =>
                resolve({
                    status: response.statusCode,
                    headers: response.headers,
                    body: Buffer.concat(chunks),
                }),
            );
        });
        outgoing.on("error", reject);
        outgoing.end(body);
    });
}

// A TLS connection to a gateway, when its handshake is done; fails if that does.
export async function connect(t, port, { onSession, ...options } = {}) {
    const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
    t.after(() => socket.destroy());
    if (onSession) {
        socket.on("session", onSession);
    }
    await once(socket, "secureConnect");
    socket.on("error", () => {}); // a reset is an end like any other
    return socket;
}

// What the gateway shows to a client that asks for `servername` (undefined: for none).
export async function shown(t, port, servername, options = {}) {
    const socket = await connect(t, port, { servername, ...options });
    const { subject, serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return { name: subject.CN, serial: serialNumber };
}
