// What is measured: each is started on free ports, with the configuration that its manual recommends
// for the work at hand, and answers on `base`.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { example, freePort, Gateway } from "../tests/e2e/lib/mesh.js";
import { Program } from "../tests/e2e/lib/program.js";

const CONTENT_TYPE = "text/plain; charset=utf-8";

// Resolves once something accepts connections at `port`, for programs that do not say when.
async function accepts(port, program) {
    while (!program.status) {
        const socket = connect(port, "127.0.0.1");
        try {
            await once(socket, "connect");
            return;
        } catch {
            await pause(20);
        } finally {
            socket.destroy();
        }
    }
    throw new Error(`${program.name} does not start:\n${program.output}`);
}

// nginx with these `servers`, its files in `folder`.
async function nginx(t, folder, name, port, http) {
    const path = join(folder, `${name}.conf`);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map((kind) => `${kind}_temp_path ${folder}/${name}-${kind};`)
        .join("\n    ");
    writeFileSync(
        path,
        `daemon off;
${process.getuid() === 0 ? "user root;" : ""}
pid ${folder}/${name}.pid;
worker_processes auto;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
    ${temporary}
    include /etc/nginx/mime.types;
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
${http}
}
`,
    );
    const program = new Program(t, "/usr/sbin/nginx", ["-e", "stderr", "-p", folder, "-c", path]);
    await accepts(port, program);
    return `http://127.0.0.1:${port}`;
}

// What the proxies pass on: the answer of hello_world, over HTTP or HTTPS.
export async function startBackend(t, folder) {
    const port = await freePort();
    const tlsPort = await freePort();
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", join(folder, "key.pem"),
        "-out", join(folder, "cert.pem")], { stdio: "ignore" });
    const location = `default_type "${CONTENT_TYPE}";
        location = /hello { return 200 "Hello world!"; }`;
    await nginx(t, folder, "backend", port, `
    server {
        listen 127.0.0.1:${port};
        ${location}
    }
    server {
        listen 127.0.0.1:${tlsPort} ssl;
        ssl_certificate ${folder}/cert.pem;
        ssl_certificate_key ${folder}/key.pem;
        ${location}
    }`);
    return { plain: `127.0.0.1:${port}`, tls: `127.0.0.1:${tlsPort}` };
}

// nginx as reverse proxy, `scheme` http or https, keeping its connections to the backend or not.
// `version`: "http2" for HTTP/2 towards the clients, "ssl http2" for that over TLS.
export async function startNginxProxy(t, folder, name, scheme, backend, keepsAlive, version = "") {
    const port = await freePort();
    const base = await nginx(t, folder, name, port, `
    upstream hello {
        server ${backend};
        ${keepsAlive ? "keepalive 64; keepalive_requests 1000000000;" : ""}
    }
    server {
        listen 127.0.0.1:${port} ${version};
        ssl_certificate ${folder}/cert.pem;
        ssl_certificate_key ${folder}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        client_max_body_size 0;
        location / {
            proxy_pass ${scheme}://hello;
            proxy_request_buffering off;
            ${keepsAlive ? 'proxy_http_version 1.1; proxy_set_header Connection "";' : ""}
        }
    }`);
    return version.startsWith("ssl") ? base.replace("http:", "https:") : base;
}

export async function startNginxFiles(t, folder, files) {
    const port = await freePort();
    return nginx(t, folder, "files", port, `
    server {
        listen 127.0.0.1:${port};
        root ${files};
        charset utf-8;
    }`);
}

// As startNginxFiles, over TLS, with the versions that we have: nginx 1.22 leaves out 1.3 by itself.
export async function startNginxTls(t, folder, files) {
    const port = await freePort();
    const base = await nginx(t, folder, "tls", port, `
    server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${folder}/cert.pem;
        ssl_certificate_key ${folder}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        root ${files};
        charset utf-8;
    }`);
    return base.replace("http:", "https:");
}

export async function startHaproxy(t, folder, backend) {
    const port = await freePort();
    const path = join(folder, "haproxy.cfg");
    writeFileSync(
        path,
        `global
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    http-reuse always
frontend front
    bind 127.0.0.1:${port}
    default_backend back
backend back
    server hello ${backend}
`,
    );
    const program = new Program(t, "/usr/sbin/haproxy", ["-db", "-f", path]);
    program.mayFail = true; // it reports the signal that ended it
    await accepts(port, program);
    return `http://127.0.0.1:${port}`;
}

// Our gateway with the service hello_world, and with `files` beside it.
export async function startFlatend(t, files) {
    const gateway = await Gateway.start(t, {
        release: true,
        routes: [
            { path: "GET /hello", service: "hello_world" },
            { path: "GET /", static: files },
        ],
    });
    await example(t, "hello_world", gateway, { release: true });
    return gateway.url("");
}

// The same over TLS, with the certificate of startBackend.
export async function startFlatendTls(t, folder, files) {
    const gateway = await Gateway.start(t, {
        release: true,
        http: { https: true, cert: join(folder, "cert.pem"), key: join(folder, "key.pem") },
        routes: [
            { path: "GET /hello", service: "hello_world" },
            { path: "GET /", static: files },
        ],
    });
    await example(t, "hello_world", gateway, { release: true });
    return gateway.url("");
}
