// Hosts of our own: network namespaces, each with a link to a router that can cut it off without
// notice to either side.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Program } from "./program.js";
import { repository } from "./mesh.js";

const sudo = process.getuid() === 0 ? [] : ["sudo", "-n"];

function sh(...words) {
    const [command, ...args] = [...sudo, ...words];
    execFileSync(command, args, { stdio: ["ignore", "ignore", "inherit"] });
}

let n_networks = 0;

export class Network {
    // `names`: of hosts; host i has the address 10.77.i.2.
    constructor(t, names) {
        this.id = `fe${process.pid}-${n_networks++}`;
        this.hosts = Object.fromEntries(names.map((name, i) => [name, `10.77.${i}.2`]));
        t.after(() => this.#remove());
        this.#add("router");
        names.forEach((name, i) => this.#addHost(name, i));
        this.heal();
    }

    #space(name) {
        return `${this.id}-${name}`;
    }

    #add(name) {
        sh("ip", "netns", "add", this.#space(name));
        sh(...this.in(name), "ip", "link", "set", "lo", "up");
    }

    #addHost(name, i) {
        this.#add(name);
        const [here, there] = [`${this.#space(name)}`, `${this.#space("router")}`];
        sh("ip", "link", "add", "eth0", "netns", here, "type", "veth", "peer", "name", `to${i}`, "netns", there);
        sh(...this.in(name), "ip", "address", "add", `10.77.${i}.2/24`, "dev", "eth0");
        sh(...this.in(name), "ip", "link", "set", "eth0", "up");
        sh(...this.in("router"), "ip", "address", "add", `10.77.${i}.1/24`, "dev", `to${i}`);
        sh(...this.in("router"), "ip", "link", "set", `to${i}`, "up");
        sh(...this.in(name), "ip", "route", "add", "default", "via", `10.77.${i}.1`);
    }

    // The file /etc/NAME that processes on that host see from their start on, and what it holds now.
    setFile(host, name, text) {
        const folder = `/etc/netns/${this.#space(host)}`;
        sh("mkdir", "-p", folder);
        const [tee, ...args] = [...sudo, "tee", `${folder}/${name}`]; // in place: it is mounted
        execFileSync(tee, args, { input: text, stdio: ["pipe", "ignore", "inherit"] });
    }

    #remove() {
        for (const name of Object.keys(this.hosts)) {
            sh("rm", "-rf", `/etc/netns/${this.#space(name)}`);
        }
        for (const name of [...Object.keys(this.hosts), "router"]) {
            try {
                sh("ip", "netns", "delete", this.#space(name));
            } catch {
                // it was not made
            }
        }
    }

    // What a command is run by to run on that host.
    in(name) {
        return [...sudo, "ip", "netns", "exec", this.#space(name)];
    }

    #forward(on) {
        sh(...this.in("router"), "sh", "-c", `echo ${on} >/proc/sys/net/ipv4/ip_forward`);
    }

    // From now on whatever is sent from one host to another is dropped.
    cut() {
        this.#forward(0);
    }

    heal() {
        this.#forward(1);
    }
}

// Starts lib/load.mjs, run by `prefix`; resolves once it has had its first answer.
export async function startLoad(t, url, { concurrency = 8, prefix = [] } = {}) {
    const script = join(repository, "tests/e2e/lib/load.mjs");
    const [command, ...args] = [...prefix, process.execPath, script, url, `${concurrency}`];
    const load = new Program(t, command, args);
    await load.waitFor("loading");
    return {
        // Ends it: { done, failures }.
        async end() {
            load.child.stdin.end();
            await load.exit();
            return JSON.parse(load.lines.at(-1));
        },
    };
}
