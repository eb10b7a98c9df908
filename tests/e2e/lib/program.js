// A program under test: its output line by line, its end, and nothing left behind.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { constants } from "node:os";

// Long enough for a sanitized program on a busy machine; only a broken one takes it.
const WAIT_MS = 30_000;

// Where our own programs are: all of them catch SIGTERM.
const OURS = [process.env.FLATEND_BUILD_DIR, process.env.FLATEND_RELEASE_DIR].filter(Boolean);

// The programs of each test. They end in the order in which they were started, and all of them, even if
// one does not end well: the file would never end otherwise.
const started = new WeakMap();

function endWith(t, program) {
    const programs = started.get(t) ?? [];
    programs.push(program);
    if (programs.length > 1) {
        return;
    }
    started.set(t, programs);
    t.after(async () => {
        const failures = [];
        for (const one of programs) {
            await one.stop().catch((error) => failures.push(error));
        }
        if (failures.length > 0) {
            throw failures[0];
        }
    });
}

// Waits until SIGTERM would not just kill a process: a node may serve a moment before it waits for signals.
export async function catchesSignals(pid, ms = WAIT_MS) {
    const deadline = Date.now() + ms;
    const bit = 1n << BigInt(constants.signals.SIGTERM - 1);
    for (;;) {
        const text = readFileSync(`/proc/${pid}/status`, "utf8");
        if (BigInt(`0x${text.match(/^SigCgt:\s+(\w+)/m)[1]}`) & bit) {
            return;
        }
        if (Date.now() > deadline) {
            throw new Error("does not catch signals");
        }
        await new Promise(setImmediate);
    }
}

export class Program {
    // Starts `command`, and ends it with the test `t`, which fails if it then does not end well.
    constructor(t, command, args = [], options = {}) {
        this.name = `${command.split("/").pop()} ${args.join(" ")}`;
        this.lines = [];
        this.seen = 0; // lines that waitFor has gone past
        this.waiters = new Set();
        this.killed = false;
        this.child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
        this.child.on("error", (error) => this.#add(String(error)));
        this.child.stdin.on("error", () => {}); // it may be gone before it reads all
        for (const stream of [this.child.stdout, this.child.stderr]) {
            createInterface({ input: stream }).on("line", (line) => this.#add(line));
        }
        // "close" comes once the output is complete, too.
        this.ended = once(this.child, "close").then(([code, signal]) => {
            this.status = { code, signal };
            this.#wake();
            return this.status;
        });
        this.isOurs = [command, ...args].some((word) => OURS.some((folder) => word.startsWith(folder)));
        endWith(t, this);
    }

    get pid() {
        return this.child.pid;
    }

    get output() {
        return this.lines.join("\n");
    }

    #add(line) {
        this.lines.push(line);
        this.#wake();
    }

    #wake() {
        for (const waiter of this.waiters) {
            waiter();
        }
    }

    // The next line that matches, among those that no earlier waitFor has gone past.
    async waitFor(pattern, ms = WAIT_MS) {
        const matches = (line) =>
            typeof pattern === "string" ? line.includes(pattern) : pattern.test(line);
        const line = await new Promise((resolve, reject) => {
            const fail = (why) => {
                finish();
                reject(new Error(`${this.name}: ${why} ${pattern}. It said:\n${this.output}`));
            };
            const timer = setTimeout(() => fail(`${ms} ms without`), ms);
            const finish = () => {
                clearTimeout(timer);
                this.waiters.delete(look);
            };
            const look = () => {
                while (this.seen < this.lines.length) {
                    const candidate = this.lines[this.seen++];
                    if (matches(candidate)) {
                        finish();
                        resolve(candidate);
                        return;
                    }
                }
                if (this.status) {
                    fail(`ended (${this.status.code ?? this.status.signal}) without`);
                }
            };
            this.waiters.add(look);
            look();
        });
        return line;
    }

    // The first line of all that matches, also of those that waitFor has gone past: the log and standard output do not
    // wait for each other.
    async find(pattern) {
        return this.lines.find((line) => pattern.test(line)) ?? (await this.waitFor(pattern));
    }

    // Waits for it to end by itself.
    async exit(ms = WAIT_MS) {
        let timer;
        const late = new Promise((_, reject) => {
            timer = setTimeout(
                () => reject(new Error(`${this.name} does not end. It said:\n${this.output}`)),
                ms,
            );
        });
        try {
            return await Promise.race([this.ended, late]);
        } finally {
            clearTimeout(timer);
        }
    }

    signal(name) {
        this.child.kill(name);
    }

    async catchesSignals(ms = WAIT_MS) {
        return catchesSignals(this.pid, ms).catch((error) => {
            throw new Error(`${this.name} ${error.message}. It said:\n${this.output}`);
        });
    }

    // Ends it as a crash would.
    async kill() {
        this.killed = true;
        this.child.kill("SIGKILL");
        return this.exit();
    }

    // Asks it to end. A status other than 0 is a failure: it is also how a leak shows.
    async stop() {
        if (this.status || this.child.exitCode !== null) {
            await this.ended;
        } else {
            if (this.isOurs) {
                await this.catchesSignals().catch(() => {}); // it has ended meanwhile
            }
            this.child.kill("SIGTERM");
            try {
                await this.exit();
            } catch (error) {
                await this.kill();
                throw error;
            }
        }
        if (!this.killed && !this.mayFail && this.status.code !== 0) {
            const how = this.status.code ?? this.status.signal;
            throw new Error(`${this.name} ended with ${how}. It said:\n${this.output}`);
        }
    }

    // Milliseconds of processor time that it has used, from /proc/PID/stat, which counts hundredths of
    // seconds.
    processorTime() {
        const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return 10 * (Number(fields[11]) + Number(fields[12]));
    }

    // A number of bytes from /proc/PID/status, of which VmHWM is the most memory it ever had.
    memory(field = "VmHWM") {
        const text = readFileSync(`/proc/${this.pid}/status`, "utf8");
        return Number(text.match(new RegExp(`^${field}:\\s+(\\d+) kB`, "m"))[1]) * 1024;
    }
}

// Runs a command to its end: { code, output }.
export async function run(t, command, args = [], options = {}) {
    const program = new Program(t, command, args, options);
    program.mayFail = true;
    program.child.stdin.end();
    const { code } = await program.exit();
    return { code, output: program.output };
}
