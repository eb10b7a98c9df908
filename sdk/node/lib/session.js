"use strict";
// The sealed frames of the protocol of 2020 (docs/PROTOCOL.md): AES-256-GCM, with a counter as nonce.
const crypto = require("node:crypto");

const TAG_LENGTH = 16;

function nonceOf(counter) {
    const nonce = Buffer.alloc(12);
    nonce.writeBigUInt64BE(counter);
    return nonce;
}

class Session {
    // `secret`: 32 bytes, which both sides have.
    constructor(secret) {
        this.secret = secret;
        this.readNonce = 0n;
        this.writeNonce = 0n;
    }

    encrypt(src) {
        const nonce = nonceOf(this.writeNonce++);
        const cipher = crypto.createCipheriv("aes-256-gcm", this.secret, nonce, { authTagLength: TAG_LENGTH });
        const sealed = cipher.update(Buffer.isBuffer(src) ? src : Buffer.from(src));
        return Buffer.concat([sealed, cipher.final(), cipher.getAuthTag()]);
    }

    decrypt(buf) {
        if (buf.length < TAG_LENGTH) {
            throw new Error("Missing authentication tag.");
        }
        const nonce = nonceOf(this.readNonce++);
        const decipher = crypto.createDecipheriv("aes-256-gcm", this.secret, nonce, { authTagLength: TAG_LENGTH });
        decipher.setAuthTag(buf.subarray(buf.length - TAG_LENGTH));
        const opened = decipher.update(buf.subarray(0, buf.length - TAG_LENGTH));
        return Buffer.concat([opened, decipher.final()]);
    }

    async *decrypted(stream) {
        for await (const frame of stream) {
            yield this.decrypt(frame);
        }
    }
}

module.exports = { Session };
