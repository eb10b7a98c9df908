// Much of everything, and how little memory it may cost.
import assert from "node:assert/strict";

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

// The most memory that a program ever had is small. The figure is for docs/performance.md.
export function assertMemory(t, program, limit = 64 * MiB) {
    const memory = program.memory();
    t.diagnostic(`${program.name.split(" ")[0]}: ${(memory / MiB).toFixed(1)} MiB`);
    assert.ok(memory < limit, `${program.name}: ${memory} bytes`);
}

// Bytes that are never the same twice, quickly.
export function* blocks(total) {
    const block = Buffer.alloc(MiB);
    for (let i = 0; i < block.length; i += 4) {
        block.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
    }
    for (let n = 0; n < total / MiB; n++) {
        const next = Buffer.from(block);
        next.writeUInt32LE(n, (n * 4096) % MiB);
        yield next;
    }
}
