// HTTP/2 as a client sees it, in clear text with prior knowledge.
import http2 from "node:http2";
import { connect } from "node:net";
import { once } from "node:events";

export function session(t, gateway, options = {}) {
    const client = http2.connect(gateway.url(""), options);
    client.on("error", () => {}); // its requests say so too
    t.after(() => client.destroy());
    return client;
}

// One request of `client`'s: { status, headers, trailers, body }, as http.js's; `trailers` are sent.
export function request2(client, path, { method = "GET", headers = {}, body, trailers } = {}) {
    return new Promise((resolve, reject) => {
        const fields = { ":method": method, ":path": path, ...headers };
        const stream = client.request(fields, {
            endStream: body === undefined && trailers === undefined,
            waitForTrailers: trailers !== undefined,
        });
        const chunks = [];
        const answer = { trailers: {} };
        stream.on("response", ({ ":status": status, ...rest }) => {
            answer.status = status;
            answer.headers = rest;
        });
        stream.on("continue", () => (answer.continued = true));
        stream.on("trailers", (received) => (answer.trailers = received));
        stream.on("data", (chunk) => chunks.push(chunk));
        stream.on("error", reject);
        stream.on("close", () => {
            answer.code = stream.rstCode;
            answer.body = Buffer.concat(chunks).toString("latin1");
            resolve(answer);
        });
        if (trailers !== undefined) {
            stream.on("wantTrailers", () => stream.sendTrailers(trailers));
        }
        if (body !== undefined || trailers !== undefined) {
            stream.end(body);
        }
    });
}

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");

// A frame by hand (RFC 9113, 4.1).
export function frame(type, flags, id, payload = Buffer.alloc(0)) {
    const header = Buffer.alloc(9);
    header.writeUIntBE(payload.length, 0, 3);
    header[3] = type;
    header[4] = flags;
    header.writeUInt32BE(id, 5);
    return Buffer.concat([header, payload]);
}

// The header block of "GET /hello" with nothing in HPACK's table.
export const HELLO = Buffer.from("\x82\x86\x04\x06/hello\x01\x01a", "latin1");

// Sends what `attack` yields until the other side has had enough: the last frames that came back.
export async function flood(t, port, attack) {
    const socket = connect(port, "127.0.0.1");
    let received = Buffer.alloc(0);
    t.after(() => socket.destroy());
    socket.on("error", () => {}); // a reset is an end like any other
    socket.on("data", (data) => (received = Buffer.concat([received, data]).subarray(-65536)));
    const end = once(socket, "close");
    socket.write(PREFACE);
    for (const bytes of attack()) {
        if (socket.destroyed || socket.readableEnded) {
            break;
        }
        if (!socket.write(bytes)) {
            await Promise.race([once(socket, "drain").catch(() => {}), end]);
        } else {
            await new Promise(setImmediate);
        }
    }
    socket.end();
    await end;
    return received;
}
