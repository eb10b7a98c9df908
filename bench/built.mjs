// A gateway and the services behind it out of a build folder that is given by its path, so that two commits can be
// measured side by side; tests/e2e/lib/mesh.js knows only one such folder.
import { existsSync, mkdirSync, mkdtempSync, utimesSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePort } from "../tests/e2e/lib/mesh.js";
import { Program } from "../tests/e2e/lib/program.js";

// The example that provides a service, and where the gateway offers it.
const SERVICES = {
    hello_world: { program: "hello_world", path: "/hello" }, // inline: on the node's own thread
    count: { program: "counter", path: "/count" }, // on a thread of the pool
};

// Of the file: its ETag has as many digits in every run.
const MODIFIED = 1_700_000_000.123456;

// Checks that `folder` is what `make` leaves in build/, and returns it as an absolute path.
export function buildFolder(folder) {
    const path = resolve(folder);
    for (const name of ["flatend", ...Object.values(SERVICES).map(({ program }) => `examples/${program}`)]) {
        if (!existsSync(join(path, name))) {
            throw new Error(`${path} is not a build folder: it has no ${name}`);
        }
    }
    return path;
}

// Every measurement has the same configuration, but for the ports.
function config(nodePort, httpPort, files, workers) {
    const routes = Object.entries(SERVICES)
        .map(([service, { path }]) => `[[http.routes]]\npath = "GET ${path}"\nservice = "${service}"\n`);
    return `addr = "127.0.0.1:${nodePort}"
state_dir = "state"
${workers ? `workers = ${workers}\n` : ""}
[[http]]
addr = "127.0.0.1:${httpPort}"

${routes.join("\n")}
[[http.routes]]
path = "GET /"
static = ${JSON.stringify(files)}
`;
}

function start(t, [command, ...args], options) {
    return new Program(t, command, args, options);
}

// Starts the gateway of the build folder `build`, in a new folder below `scratch`, and one of SERVICES, if any is
// named. `prefix(name)` is what a program ("gateway" or "service") is run by; `env` is added to the environment.
// Returns { gateway, service, nodePort, files, url(path), stop() }. /small.txt is a file of 1 KiB in the folder `files`.
export async function startBuilt(t, scratch, build, { workers, serviceName, prefix = () => [], env = {} } = {}) {
    const folder = mkdtempSync(join(scratch, "gateway-"));
    const files = join(folder, "public");
    const nodePort = await freePort();
    const httpPort = await freePort();
    const options = { cwd: folder, env: { ...process.env, ...env } };
    mkdirSync(files);
    writeFileSync(join(files, "small.txt"), "x".repeat(1024));
    utimesSync(join(files, "small.txt"), MODIFIED, MODIFIED);
    writeFileSync(join(folder, "config.toml"), config(nodePort, httpPort, files, workers));

    const gateway = start(t, [...prefix("gateway"), join(build, "flatend")], options);
    await gateway.waitFor("Listening for HTTP requests on");
    let service = null;
    if (serviceName) {
        const program = join(build, "examples", SERVICES[serviceName].program);
        service = start(t, [...prefix("service"), program, `127.0.0.1:${nodePort}`], options);
        await gateway.waitFor(/has connected to you\. Services: \[/);
    }
    return {
        gateway,
        service,
        nodePort,
        files,
        url: (path) => `http://127.0.0.1:${httpPort}${path}`,
        // The service first: one that outlives its gateway tries to reconnect.
        async stop() {
            await service?.stop();
            await gateway.stop();
        },
    };
}
