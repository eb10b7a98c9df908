// A steady load, to be run where the gateway is (perhaps in a network namespace of its own):
//
//     node load.mjs URL CONCURRENCY
//
// GETs until standard input ends; prints "loading" once the first answer is there, and at the end
// { done, failures: [{ started, failed, why }] } as JSON, times as Date.now() has them.
import http from "node:http";

const [url, concurrency] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(concurrency) });
const failures = [];
let done = 0;
let isOver = false;

function get() {
    return new Promise((resolve, reject) => {
        const outgoing = http.get(url, { agent }, (response) => {
            response.resume();
            response.on("error", reject);
            response.on("end", () =>
                response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode}`)));
        });
        outgoing.on("error", reject);
    });
}

async function work() {
    while (!isOver) {
        const started = Date.now();
        try {
            await get();
            if (done++ === 0) {
                console.log("loading");
            }
        } catch (error) {
            failures.push({ started, failed: Date.now(), why: error.message });
        }
    }
}

process.stdin.on("end", () => (isOver = true)).resume();
await Promise.all(Array.from({ length: Number(concurrency) }, work));
agent.destroy();
console.log(JSON.stringify({ done, failures }));
