// Meshes of our nodes and of old ones, joined in every order, with requests under way: beside a gateway two nodes of each
// kind that have keys, and one that has none. All start, none ends, none is busy with nothing, no answer is lost; then
// one with and the one without a key of each kind start again, the one that the others have joined by, and the gateway.
//
// With FLATEND_GO_NODE there are nodes on the Go module among them (docs/quality.md: "Old nodes in the tests").
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import http from "node:http";
import { test } from "node:test";
import { Gateway, OldPeer, Peer, freePort, goNode, makeKey, scratch } from "./lib/mesh.js";
import { request } from "./lib/http.js";

const BODY = "x".repeat(3000); // more than one packet of the old dialect
const WORKERS = 4; // of each service
const PATIENCE_MS = 30_000;
const LOOK_MS = 500;
const BUSY = 0.4; // of a core: a bootstrap that does not end takes all of one

function makeOldKey() {
    const { d, x } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
    return Buffer.concat([d, x].map((text) => Buffer.from(text, "base64url"))).toString("hex");
}

// ---- nodes: `make` gives what starts one, on the same address and with the same key each time ----

const ours = {
    service: "ours",
    async make(t, name, hasKey) {
        const address = `127.0.0.1:${await freePort()}`;
        const { path } = await makeKey(t, scratch(t), "key");
        const options = [...(hasKey ? ["-k", path, "-b", address] : []), "-n", name, "-S", "ours"];
        return { name, address, start: (addrs) => Peer.start(t, [...options, ...addrs]) };
    },
    answer: (name) => name, // it does not look at the body
    end: (program) => program.stop(),
    maxLost: 0,
};

function old(service, command, more = {}) {
    return {
        service,
        ...more,
        async make(t, name, hasKey) {
            const publicAddr = `127.0.0.1:${await freePort()}`;
            const identity = hasKey ? { publicAddr, secretKey: makeOldKey() } : {};
            const settings = { services: [service], ...identity, name };
            const start = async (addrs) => {
                const program = await OldPeer.start(t, { ...settings, addrs }, command);
                program.mayFail = true; // how it ends at last does not matter
                return program;
            };
            return { name, address: publicAddr, start };
        },
        answer: (name, body) => name + body,
        end: (program) => program.stop(), // one that is killed may reset connections, which ends Node.js peers
        maxLost: WORKERS, // what it was working on: an old node does not wait for that when it ends
    };
}

// While other nodes connect to a Go node it may send a response to one of them (docs/PROTOCOL.md 1.6).
const goKinds = goNode ? [old("go", [goNode], { maxMissent: WORKERS })] : [];
const kinds = [ours, old("npm"), ...goKinds];
const routes = kinds.flatMap(({ service }) =>
    ["GET", "POST"].map((method) => ({ path: `${method} /${service}`, service, timeout: "10s" })));

function ordersOf(list) {
    return list.length < 2
        ? [list]
        : list.flatMap((first) =>
            ordersOf(list.filter((one) => one !== first)).map((rest) => [first, ...rest]));
}

// ---- the load on one service ----

class Load {
    constructor(kind, url) {
        this.kind = kind;
        this.url = url;
        this.agent = new http.Agent({ keepAlive: true, maxSockets: WORKERS });
        this.isOver = false;
        this.isKnown = false; // the service, to the gateway
        this.isAway = false; // the gateway
        this.done = 0;
        this.early = 0; // answered 503 before it was known
        this.lost = [];
        this.missent = 0;
        this.seen = new Map(); // name of a node: how many answers
        this.turns = Array(WORKERS).fill(0); // of each worker
        this.workers = Promise.all(Array.from({ length: WORKERS }, (_, i) => this.#work(i)));
    }

    async #work(i) {
        for (let n = i; !this.isOver; n++) {
            const wasKnown = this.isKnown;
            const body = n % 2 ? BODY : "";
            const method = n % 2 ? "POST" : "GET";
            const response = await request(this.url, { method, body, agent: this.agent })
                .catch((error) => ({ status: error.code ?? error.message }));
            if (response.status === 503 && !wasKnown) {
                this.early++;
            } else if (response.status === 200 || !this.isAway) {
                this.#judge(response, body);
            }
            this.turns[i]++;
        }
    }

    // Until all workers have got answers, after now: no request is left without one.
    async isMoving() {
        const before = [...this.turns];
        const deadline = Date.now() + PATIENCE_MS;
        while (!this.turns.every((n, i) => n > before[i])) {
            assert.ok(Date.now() < deadline, `${this.kind.service}: a request is not answered`);
            await new Promise((resolve) => setImmediate(resolve));
        }
    }

    #judge({ status, body: received }, body) {
        const name = received?.slice(0, this.kind.service.length + 1);
        if (status === 504 && this.missent < (this.kind.maxMissent ?? 0)) {
            this.missent++;
            return;
        }
        if (status !== 200 || received !== this.kind.answer(name, body)) {
            this.lost.push(`${status} ${received?.slice(0, 100)}`);
            return;
        }
        this.isKnown = true;
        this.done++;
        this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
    }

    // Until all of `names` have answered, after now.
    async answered(names) {
        const deadline = Date.now() + PATIENCE_MS;
        const before = new Map(this.seen);
        const isThere = (name) => (this.seen.get(name) ?? 0) > (before.get(name) ?? 0);
        while (!names.every(isThere)) {
            if (Date.now() > deadline) {
                assert.fail(`${names.filter((name) => !isThere(name))} did not answer`);
            }
            await new Promise((resolve) => setImmediate(resolve));
        }
    }

    async end() {
        this.isOver = true;
        await this.workers;
        this.agent.destroy();
    }
}

// ---- the mesh ----

async function busyShare(program) {
    const before = program.processorTime();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    return (program.processorTime() - before) / LOOK_MS;
}

// The programs of a mesh: { node, kind, program }, the first one that by which others join; but old nodes of another
// kind join by the gateway: they cannot by each other (docs/PROTOCOL.md 1.6).
async function prepareMesh(t, order, isByGateway) {
    const members = [];
    for (const number of [1, 2, 3]) {
        for (const kind of order) {
            members.push({ kind, node: await kind.make(t, `${kind.service}${number}`, number < 3) });
        }
    }
    const [first] = members;
    let gateway;
    if (isByGateway) {
        gateway = await Gateway.start(t, { routes });
    } else {
        first.program = await first.node.start([]);
        gateway = await Gateway.start(t, { routes, mesh: { peers: [first.node.address] } });
    }
    const seedOf = (kind) =>
        !isByGateway && (kind === ours || kind === first.kind) ? first.node.address : gateway.address;
    const loads = order.map((kind) => new Load(kind, gateway.url(`/${kind.service}`)));
    for (const member of members) {
        member.addrs = member === first && !isByGateway ? [] : [seedOf(member.kind)];
    }
    return { gateway, members, loads };
}

function endLoads({ loads }) {
    return Promise.all(loads.map((load) => load.end()));
}

function programsOf({ gateway, members }) {
    return [gateway.program, ...members.map(({ program }) => program)].filter(Boolean);
}

async function allAnswer(mesh) {
    for (const load of mesh.loads) {
        const nodes = mesh.members.filter(({ kind }) => kind === load.kind).map(({ node }) => node.name);
        await load.answered(nodes);
    }
}

function checkPrograms(mesh, ended = []) {
    for (const program of programsOf(mesh).filter((one) => !ended.includes(one))) {
        assert.equal(program.status, undefined, `${program.name} has ended:\n${program.output}`);
        assert.doesNotMatch(program.output, /panic|Unhandled|SIGSEGV|Sanitizer/);
    }
}

// Each node of ours calls services of all kinds, the one without a key, too; old nodes call ours. Not under the load: when
// several nodes request of a Go node, some of its responses go to others (docs/PROTOCOL.md 1.6).
async function allCall(mesh) {
    for (const { kind, program } of mesh.members) {
        if (kind === ours) {
            for (const { service } of kinds) {
                assert.equal(await program.command(`call ${service}`), "OK");
            }
        } else {
            const answer = await program.push(["ours"]);
            assert.match(answer.text ?? answer.error, /^ours\d$/);
        }
    }
}

async function restart(mesh, member) {
    const { kind } = member;
    const load = mesh.loads.find((one) => one.kind === kind);
    const lost = mesh.loads.map((one) => one.lost.length);
    await kind.end(member.program);
    member.program = await member.node.start(member.addrs);
    await load.answered([member.node.name]);
    mesh.loads.forEach((one, i) => {
        const max = lost[i] + (one === load ? kind.maxLost : 0);
        assert.ok(one.lost.length <= max, `${member.node.name} was away: ${one.lost.slice(lost[i])}`);
    });
}

async function restartAll(mesh) {
    const others = mesh.members.slice(mesh.loads.length);
    for (const member of [...others, mesh.members[0]]) {
        await restart(mesh, member);
        checkPrograms(mesh);
    }
}

// What it was asked for meanwhile is lost, but no node.
async function restartGateway(mesh) {
    await Promise.all(mesh.loads.map((load) => load.isMoving()));
    mesh.loads.forEach((load) => (load.isAway = true));
    await mesh.gateway.program.stop();
    checkPrograms(mesh, [mesh.gateway.program]);
    await mesh.gateway.start();
    await allAnswer(mesh);
    mesh.loads.forEach((load) => (load.isAway = false));
    checkPrograms(mesh);
}

async function run(mesh) {
    for (const member of mesh.members) {
        member.program ??= await member.node.start(member.addrs);
    }
    await allAnswer(mesh);
    checkPrograms(mesh);
    assert.deepEqual(mesh.loads.map(({ lost }) => lost), mesh.loads.map(() => []));
    await restartAll(mesh);
    await restartGateway(mesh);
    await endLoads(mesh);
    await allCall(mesh);
    const shares = await Promise.all(programsOf(mesh).map(busyShare));
    assert.ok(shares.every((share) => share < BUSY), `busy with nothing: ${shares}`);
    checkPrograms(mesh);
}

// What went wrong is often told by another program than the one that fails.
function addOutput(error, mesh) {
    const said = programsOf(mesh).map(({ name, output }) => `${name}:\n${output}`);
    return new Error([error, ...said].join("\n\n"));
}

for (const order of ordersOf(kinds)) {
    for (const isByGateway of [false, true]) {
        const names = order.map(({ service }) => service);
        const name = `${names.join(", ")} join by ${isByGateway ? "the gateway" : "the first"}`;
        test(name, { timeout: 180_000 }, async (t) => {
            const mesh = await prepareMesh(t, order, isByGateway);
            try {
                await run(mesh);
            } catch (error) {
                throw addOutput(error, mesh);
            } finally {
                await endLoads(mesh);
            }
            if (!goNode) {
                t.diagnostic("without Go nodes: FLATEND_GO_NODE is not set");
            }
            for (const { kind, done, early, lost, missent } of mesh.loads) {
                const missing = `${lost.length} lost with their node, ${missent} missent`;
                t.diagnostic(`${kind.service}: ${done} answered, ${early} early, ${missing}`);
            }
        });
    }
}
