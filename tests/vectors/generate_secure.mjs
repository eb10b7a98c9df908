// Writes the test vectors of docs/PROTOCOL.md, part 2: `node generate_secure.mjs` in this folder.
// `node generate_secure.mjs --check` compares with the files.
import crypto from "node:crypto";
import {
  alice, aliceId, blake2b, bob, bobId, handshake, headers, initiator, names, publicOf, record, responder, seal, seq,
  shared, u16, u32, u8, writeFiles,
} from "./lib.mjs";

const text = (s) => Buffer.from(s);
const H = (...parts) => blake2b(Buffer.concat(parts));
const HK = (key, ...parts) => blake2b(Buffer.concat(parts), 32, key);

// --- the extension (2.1) -------------------------------------------------------------------------

const tlv = (type, value) => Buffer.concat([u8(type), u16(value.length), value]);
const NO_SIGNATURE = Buffer.alloc(0);

const HEADS = 1; // the features that are announced (2.8)
const limits = [
  tlv(1, u32(HEADS)),
  tlv(2, u32(65536)),
  tlv(3, Buffer.concat([u32(64 * 1024), u32(16 * 1024 * 1024)])),
  tlv(4, u32(4096)),
  tlv(5, u16(1)),
];
const agent = tlv(7, text("flatend/0.1.0"));
const seen4 = tlv(6, Buffer.concat([u8(0), Buffer.of(192, 0, 2, 7), u16(40000)]));
const seen6 = tlv(6, Buffer.concat([u8(1), Buffer.concat([Buffer.of(0x20, 1, 0xd, 0xb8), Buffer.alloc(11), u8(7)]), u16(40001)]));

// The extension up to its signature; the length counts the signature that follows.
function extension(isSigned, tlvs) {
  const body = Buffer.concat(tlvs);
  return Buffer.concat([text("FLT2"), u16(body.length + (isSigned ? 67 : 0)), body]);
}
const signature = (bytes) => tlv(0x40, bytes);

// --- the key schedule (2.1) ----------------------------------------------------------------------

// A whole handshake: whose (NULL: anonymous), saying what, under which mesh secret (NULL: none).
function shake({ secret, first, second, services }) {
  const s = {};
  s.th0 = H(text("flatend/2 session"), publicOf(initiator), publicOf(responder));
  s.hello_key = secret ? HK(secret, text("flatend/2 hello"), s.th0, shared) : H(shared);
  s.refuse_key = HK(shared, text("flatend/2 refuse"), s.th0);

  s.m_i = Buffer.concat([handshake(first, first && aliceId, []), extension(Boolean(first), [...limits, agent])]);
  s.th1 = H(s.th0, u32(s.m_i.length), s.m_i);
  s.sig_i = first ? crypto.sign(null, Buffer.concat([text("flatend/2 initiator"), s.th1]), first.key) : NO_SIGNATURE;
  s.th2 = H(s.th1, s.sig_i);
  s.prk = HK(secret ?? Buffer.alloc(32), shared, s.th2);
  s.k_i2r = HK(s.prk, text("i2r"));
  s.k_r2i = HK(s.prk, text("r2i"));

  s.m_r = Buffer.concat([handshake(second, second && bobId, services), extension(Boolean(second), [...limits, agent])]);
  s.th3 = H(s.th2, u32(s.m_r.length), s.m_r);
  s.sig_r = second ? crypto.sign(null, Buffer.concat([text("flatend/2 responder"), s.th3]), second.key) : NO_SIGNATURE;

  s.k_i2r_next = HK(s.k_i2r, text("rekey"));
  s.k_r2i_next = HK(s.k_r2i, text("rekey"));
  s.hello = Buffer.concat([s.m_i, first ? signature(s.sig_i) : NO_SIGNATURE]);
  s.answer = Buffer.concat([s.m_r, second ? signature(s.sig_r) : NO_SIGNATURE]);
  return s;
}

// A record of part 2: the length is associated data.
function secureRecord(key, counter, ...packets) {
  const plaintext = Buffer.concat(packets);
  const length = u32(plaintext.length + 16);
  return Buffer.concat([length, seal(key, counter, plaintext, length)]);
}

// --- packets (2.3) -------------------------------------------------------------------------------

const END = 1;
const ACK = 1;
const u24 = (x) => Buffer.of(x >> 16, (x >> 8) & 255, x & 255);
const packet = (type, flags, stream, ...body) => {
  const bytes = Buffer.concat(body);
  return Buffer.concat([u24(bytes.length), u8(type), u8(flags), u32(stream), bytes]);
};
const short = (s) => Buffer.concat([u8(s.length), text(s)]);

const request = (stream, flags, services, list) => packet(1, flags, stream, names(services), headers(list));
const response = (stream, flags, handled, list) => packet(2, flags, stream, u8(handled), headers(list));

// Large heads (2.3): long names and headers, in packets with bodies of at most `most` bytes.
const longNames = (list) => Buffer.concat([u8(list.length), ...list.flatMap((s) => [u16(s.length), text(s)])]);
const longHeaders = (list) =>
  Buffer.concat([u16(list.length), ...list.flatMap(([k, v]) => [u16(k.length), text(k), u32(v.length), text(v)])]);
function headPackets(type, stream, most, ...parts) {
  const bytes = Buffer.concat(parts);
  const all = Buffer.concat([u8(type), u32(bytes.length), bytes]);
  const packets = [];
  for (let at = 0; at < all.length; at += most) packets.push(packet(11, 0, stream, all.subarray(at, at + most)));
  return packets;
}
const head = (...args) => Buffer.concat(headPackets(...args));
const longName = `query.${"n".repeat(250)}`;
const token64 = Buffer.from("123456789abcdef0", "hex");

const packetVectors = {
  data: packet(0, 0, 1, text("Hello world!")),
  data_end: packet(0, END, 1, text("Hello world!")),
  data_empty_end: packet(0, END, 0xffffffff),
  request: request(1, 0, ["hello_world", "todo"], [["params.id", "7"], ["content-type", "text/plain"], ["empty", ""]]),
  request_end: request(3, END, ["hello_world"], []),
  response: response(1, 0, 1, [["content-type", "application/json"]]),
  response_end: response(1, END, 1, []),
  response_unhandled: response(3, 0, 0, []),
  trailers: packet(3, 0, 1, headers([["checksum", "9"], ["empty", ""]])),
  reset: packet(4, 0, 1, u32(1), short("enough")),
  reset_bare: packet(4, 0, 2, u32(0), short("")),
  window_stream: packet(5, 0, 1, u32(65536)),
  window_connection: packet(5, 0, 0, u32(0x7fffffff)),
  ping: packet(6, 0, 0, token64),
  pong: packet(6, ACK, 0, token64),
  goaway: packet(7, 0, 0, u32(7), u32(0), short("bye")),
  services: packet(8, 0, 0, u16(2), short("hello_world"), u16(100), short("todo"), u16(7)),
  services_none: packet(8, 0, 0, u16(0)),
  find_node: packet(9, 0, 0, u32(1), bob.publicKey),
  nodes: packet(10, 0, 0, u32(1), u8(2), aliceId, bobId),
  nodes_none: packet(10, 0, 0, u32(3), u8(0)),
  head_request: head(1, 1, 100, longNames(["hello_world", "s".repeat(256)]), longHeaders([["accept", "*/*"], [longName, "7"], ["empty", ""]])),
  head_request_one: head(1, 3, 1000, longNames(["hello_world"]), longHeaders([[longName, ""]])),
  head_response: head(2, 1, 7, longHeaders([["content-type", "text/plain"], ["etag", "x".repeat(40)]])),
  head_trailers: head(3, 1, 16, longHeaders([["checksum", "9".repeat(64)]])),
  unknown: packet(200, 255, 5, text("whatever")),
  refusal: Buffer.concat([u32(8), short("a mesh secret is required")]),
  extension: extension(false, [...limits, agent]),
  extension_seen_ipv4: extension(false, [...limits, seen4, agent]),
  extension_seen_ipv6: extension(false, [...limits, seen6, agent]),
  extension_unknown: extension(false, [tlv(0x3f, text("of a later version")), ...limits, agent]),
  extension_signed: Buffer.concat([extension(true, [...limits, agent]), signature(seq(1, 64))]),
};

// --- conversations -------------------------------------------------------------------------------

const secret = seq(0xc0, 32);
const open = shake({ secret: null, first: alice, second: bob, services: ["hello_world"] });
const closed = shake({ secret, first: null, second: bob, services: ["hello_world"] });

const schedule = (s) => ({
  dh: shared,
  th0: s.th0,
  hello_key: s.hello_key,
  refuse_key: s.refuse_key,
  m_i: s.m_i,
  th1: s.th1,
  sig_i: s.sig_i,
  th2: s.th2,
  prk: s.prk,
  k_i2r: s.k_i2r,
  k_r2i: s.k_r2i,
  m_r: s.m_r,
  th3: s.th3,
  sig_r: s.sig_r,
  k_i2r_next: s.k_i2r_next,
  k_r2i_next: s.k_r2i_next,
});
const prefixed = (prefix, vectors) =>
  Object.fromEntries(Object.entries(vectors).map(([name, bytes]) => [prefix + name, bytes]));

// Alice dials Bob, both identified; Bob serves "hello_world". `secret_`: anonymous, with a mesh secret.
const hello = (s) => record(s.hello_key, 0, Buffer.concat([u32(1), u8(0), s.hello]));
const conversation = {
  initiator_secret: seq(0x80, 32),
  responder_secret: seq(0xa0, 32),
  initiator_identity: alice.secret,
  responder_identity: bob.secret,
  mesh_secret: secret,
  initiator_key: publicOf(initiator),
  responder_key: publicOf(responder),
  initiator_hello: hello(open),
  responder_hello: secureRecord(open.k_r2i, 0, open.answer),
  initiator_request: secureRecord(open.k_i2r, 0, request(1, END, ["hello_world"], [["accept", "*/*"]])),
  responder_response: secureRecord(open.k_r2i, 1, response(1, 0, 1, [["content-type", "text/plain"]]), packet(0, END, 1, text("Hello world!"))),
  initiator_window: secureRecord(open.k_i2r, 1, packet(5, 0, 0, u32(12))),
  initiator_rekeyed: secureRecord(open.k_i2r_next, 0, packet(6, 0, 0, token64)),
  responder_pong: secureRecord(open.k_r2i, 2, packet(6, ACK, 0, token64)),
  // In records of at most 109 bytes of plaintext.
  initiator_head: Buffer.concat(
    headPackets(1, 3, 100, longNames(["hello_world"]), longHeaders([[longName, ""]]))
      .map((piece, i) => secureRecord(open.k_i2r_next, 1 + i, piece))),
  secret_initiator_hello: hello(closed),
  secret_responder_hello: secureRecord(closed.k_r2i, 0, closed.answer),
  refusal_of_k: secureRecord(open.refuse_key, 0, u32(8), short("a mesh secret is required")),
};

writeFiles("generate_secure.mjs", {
  "secure_keys.txt": [
    "Every step of the key schedule, without and with a mesh secret: docs/PROTOCOL.md 2.1",
    { mesh_secret: secret, ...prefixed("open_", schedule(open)), ...prefixed("secret_", schedule(closed)) },
  ],
  "secure_packets.txt": ["Packets with their headers, a refusal, extensions: docs/PROTOCOL.md 2.1 and 2.3", packetVectors],
  "secure_session.txt": ["A conversation, byte for byte: docs/PROTOCOL.md part 2", conversation],
});
