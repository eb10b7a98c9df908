// Writes the test vectors of docs/PROTOCOL.md, part 1: `node generate.mjs` in this folder.
// `node generate.mjs --check` compares with the files.
import crypto from "node:crypto";
import {
  alice, aliceId, blake2b, bob, bobId, data, handshake, headers, id, initiator, publicOf, record, request, responder,
  response, seal, seq, shared, u16, u32, u8, writeFiles,
} from "./lib.mjs";

const mappedId = id(alice.publicKey, Buffer.concat([Buffer.alloc(10), Buffer.of(255, 255, 10, 0, 0, 2)]), 41581);
const key = blake2b(shared);

const cryptoVectors = {
  hash_empty: blake2b(Buffer.alloc(0)),
  hash_abc: blake2b(Buffer.from("abc")),
  hash_200_input: seq(0, 200),
  hash_200: blake2b(seq(0, 200)),
  hash_200_keyed: blake2b(seq(0, 200), 32, key),
  initiator_secret: seq(0x80, 32),
  initiator_public: publicOf(initiator),
  responder_secret: seq(0xa0, 32),
  responder_public: publicOf(responder),
  shared_secret: shared,
  session_key: key,
  ed25519_secret: alice.secret,
  ed25519_message: Buffer.from("flatend"),
  ed25519_signature: crypto.sign(null, Buffer.from("flatend"), alice.key),
  plaintext: seq(0, 100),
  sealed_0: seal(key, 0, seq(0, 100)),
  sealed_1: seal(key, 1, seq(0, 100)),
  sealed_empty_258: seal(key, 258, Buffer.alloc(0)),
  sealed_0_ad: seal(key, 0, seq(0, 100), u32(116)),
  record_0: record(key, 0, seq(0, 100)),
};

const packetVectors = {
  id_ipv4: aliceId,
  id_ipv6: bobId,
  id_mapped: mappedId,
  handshake_anonymous: handshake(null, null, []),
  handshake_anonymous_services: handshake(null, null, ["hello_world", "todo"]),
  handshake_ipv4: handshake(alice, aliceId, ["hello_world", "todo"]),
  handshake_ipv6: handshake(bob, bobId, []),
  handshake_mapped: handshake(alice, mappedId, ["clock"]),
  service_request: request(0x40000001, ["hello_world", "todo"], [["params.id", "7"], ["content-type", "text/plain"], ["empty", ""]]),
  service_request_bare: request(0, [], []),
  service_response: response(0x40000001, 1, [["content-type", "application/json"]]),
  service_response_unhandled: response(3, 0, []),
  data: data(0x40000001, Buffer.from("Hello world!")),
  data_end: data(0x40000001, Buffer.alloc(0)),
  find_node_request: bob.publicKey,
  find_node_response: Buffer.concat([u8(2), aliceId, bobId]),
  find_node_response_empty: u8(0),
};

// A whole conversation: alice dials bob, both identified; bob serves "hello_world".
const hello = (who, idBytes, services) => handshake(who, idBytes, services);
const sessionVectors = {
  initiator_secret: seq(0x80, 32),
  responder_secret: seq(0xa0, 32),
  initiator_identity: alice.secret,
  responder_identity: bob.secret,
  initiator_key: publicOf(initiator),
  responder_key: publicOf(responder),
  initiator_hello: record(key, 0, Buffer.concat([u32(1), u8(0), hello(alice, aliceId, [])])),
  responder_hello: record(key, 0, Buffer.concat([u32(1), hello(bob, bobId, ["hello_world"])])),
  initiator_find_node: record(key, 1, Buffer.concat([u32(3), u8(4), alice.publicKey])),
  responder_nodes: record(key, 1, Buffer.concat([u32(3), u8(1), aliceId])),
  initiator_request: record(key, 2, Buffer.concat([u32(0), u8(1), request(0x40000001, ["hello_world"], [["accept", "*/*"]])])),
  initiator_end: record(key, 3, Buffer.concat([u32(0), u8(3), data(0x40000001, Buffer.alloc(0))])),
  responder_response: record(key, 2, Buffer.concat([u32(0), u8(2), response(0x40000001, 1, [["content-type", "text/plain"]])])),
  responder_data: record(key, 3, Buffer.concat([u32(0), u8(3), data(0x40000001, Buffer.from("Hello world!"))])),
  responder_end: record(key, 4, Buffer.concat([u32(0), u8(3), data(0x40000001, Buffer.alloc(0))])),
};

writeFiles("generate.mjs", {
  "crypto.txt": ["Keys, hash, signature, seal: docs/PROTOCOL.md 1.1", cryptoVectors],
  "packets.txt": ["Packet bodies: docs/PROTOCOL.md 1.2", packetVectors],
  "session.txt": ["A conversation, byte for byte: docs/PROTOCOL.md 1.1 to 1.4", sessionVectors],
});
