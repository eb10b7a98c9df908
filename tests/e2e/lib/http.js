// HTTP as a client sees it: whole responses, and raw bytes where a library would correct them.
import http from "node:http";
import { connect } from "node:net";

// One request on a connection of its own (or of `agent`'s): { status, headers, rawHeaders, body }.
// `more`: other options of http.request.
export function request(url, { method = "GET", headers = {}, body, agent = false, ...more } = {}) {
    return new Promise((resolve, reject) => {
        const outgoing = http.request(url, { ...more, method, headers, agent }, (response) => {
            const chunks = [];
            response.on("data", (chunk) => chunks.push(chunk));
            response.on("error", reject);
            response.on("end", () =>
                resolve({
                    status: response.statusCode,
                    headers: response.headers,
                    rawHeaders: response.rawHeaders,
                    trailers: response.trailers,
                    body: Buffer.concat(chunks).toString("latin1"),
                }),
            );
        });
        outgoing.on("error", reject);
        outgoing.end(body);
    });
}

// A connection to a gateway that sends and receives bytes as they are.
export class RawConnection {
    constructor(t, port) {
        this.received = "";
        this.socket = connect(port, "127.0.0.1");
        this.socket.setEncoding("latin1");
        this.socket.on("data", (text) => (this.received += text));
        this.socket.on("error", () => {}); // a reset is an end like any other
        this.end = new Promise((resolve) => this.socket.once("close", resolve));
        t.after(() => this.socket.destroy());
    }

    send(text) {
        this.socket.write(text, "latin1");
    }

    // Waits until what was received matches, and returns the match.
    receive(pattern, ms = 30_000) {
        return new Promise((resolve, reject) => {
            const finish = (settle, value) => {
                clearTimeout(timer);
                this.socket.off("data", look);
                this.socket.off("close", look);
                settle(value);
            };
            const fail = (why) => finish(reject, new Error(`${why} ${pattern}:\n${this.received}`));
            const timer = setTimeout(() => fail(`${ms} ms without`), ms);
            const look = () => {
                const match = this.received.match(pattern);
                if (match) {
                    finish(resolve, match);
                } else if (this.socket.destroyed) {
                    fail("closed without");
                }
            };
            this.socket.on("data", look);
            this.socket.on("close", look);
            look();
        });
    }

    // Everything, once the other side has closed.
    async all() {
        await this.end;
        return this.received;
    }
}

// Sends `text` and returns everything that comes back until the other side closes.
export async function raw(t, port, text) {
    const connection = new RawConnection(t, port);
    connection.send(text);
    return connection.all();
}
