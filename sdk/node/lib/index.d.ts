/// <reference types="node" />
import { Duplex, Readable } from "node:stream";
import { EventEmitter } from "node:events";

/** The version of the library inside, "0.1.0". */
export const version: string;

/** What a code of the C API (docs/c-api.md) is called. */
export type ErrorCode =
    | "ENOMEM" | "EINVAL" | "ESTATE" | "EAGAIN" | "ECANCELED" | "ECLOSED" | "ETIMEDOUT" | "EREFUSED" | "EUNREACHABLE"
    | "EADDR" | "EADDRINUSE" | "EPROTO" | "EDECRYPT" | "ESIGNATURE" | "ETOOBIG" | "ENOPROVIDER" | "EUNHANDLED" | "ERESET"
    | "EIO" | "EKEY" | "EACCESS" | "ENOENT" | "EEXIST" | "ELIMIT" | "ESYNTAX" | "EOVERFLOW" | "EDENIED";

/** What the mesh fails with. Wrong arguments are a TypeError that names the argument. */
export class FlatendError extends Error {
    constructor(errno: number, message?: string, options?: { cause?: unknown });
    /** "ENOPROVIDER", "ETIMEDOUT", ... */
    readonly code: ErrorCode;
    /** The same as the number of the C API: -16. */
    readonly errno: number;
    /** The HTTP status that it stands for if a handler throws it: 413 of a body that is too long. */
    status?: number;
}

// ---- nodes ----

/** Answers a request: by `ctx`, or by what it returns. What it throws is a response with the status 500, or with the
 * `status` of the error (400 to 599), and the body `{"error": message}`. */
export type Handler = (ctx: Context) => unknown;

export type Body =
    | string | ArrayBuffer | ArrayBufferView | Blob | Readable | ReadableStream | AsyncIterable<string | ArrayBufferView>
    | Iterator<string | ArrayBufferView> | object | null | undefined;

/** A value of a list is a header of its own. */
export type Headers =
    | { [name: string]: string | number | boolean | Array<string | number | boolean> | undefined }
    | Iterable<[string, string | number | boolean]>;

/** A handler with settings. */
export interface Service {
    handler: Handler;
    /** Start the handler as soon as the head of a request is there, for conversations. Default false: when the body is
     * complete, or 64 KiB of it are there, or 50 ms have passed. */
    streaming?: boolean;
    /** Start the handler when the whole body is there: at most `limit` bytes and 65,536; more is answered with 413. Default
     * false. */
    inline?: boolean;
    /** The limit of {@link Context.body} where the call names none, in bytes. Default 65,536. */
    limit?: number;
}

/** 32 bytes, or their 64 hexadecimal digits. */
export type PublicKey = Uint8Array | string;

export type LogLevel = "error" | "warn" | "info" | "debug";

export interface NodeOptions {
    /** The address at which peers reach this node, "host:port". Default: the first of `bindAddrs`. */
    publicAddr?: string;
    /** Where to listen: "host:port", ":port" (all interfaces; port 0: any free one), "unix:/path". It takes a secret key.
     * Default: `publicAddr`, else any free port. */
    bindAddrs?: string[];
    /** The nodes to join the mesh by: "host:port", ":port" (this machine), "unix:/path"; "KEY@host:port" where the node there
     * has to prove the public key KEY. Default: none. */
    addrs?: string[];
    /** The identity, made by {@link generateSecretKey}. Default: none, the node is anonymous and cannot be dialed. */
    secretKey?: Uint8Array;
    /** A file with the identity, which is made if it is not there. */
    secretKeyFile?: string;
    /** What this node serves, by the names of the services. */
    services?: { [name: string]: Handler | Service };
    /** How often an address that does not answer, or a lost peer, is dialed again; 0 and less: never. Default: without end
     * where the address is one of `addrs`, 8 times where the mesh has told it. */
    numReconnectAttempts?: number;
    /** Milliseconds between these attempts, always the same. Default 500. */
    reconnectBackoffDuration?: number;
    /** In place of `reconnectBackoffDuration`: how much longer each delay is than the one before, 1 to 1000. Default 1.25. */
    reconnectBackoffFactor?: number;
    /** The first delay, in milliseconds. Default 500. */
    reconnectBackoffMinDuration?: number;
    /** The longest one. Default 1000. */
    reconnectBackoffMaxDuration?: number;
    /** What all nodes of the mesh know: 16 to 4,096 bytes. Default: the environment variable FLATEND_MESH_SECRET, else the file
     * FLATEND_MESH_SECRET_FILE, else none. `null`: none, whatever the environment says. */
    meshSecret?: string | Uint8Array | null;
    /** The same in a file that only its owner may read. */
    meshSecretFile?: string;
    /** No nodes of the old protocol. Default false. */
    requireSecure?: boolean;
    /** The nodes that may connect. Default: all. */
    allowedKeys?: PublicKey[];
    /** The nodes that may provide a service, by its name. Default: all. */
    serviceRules?: { [service: string]: PublicKey[] };
    /** A peer is gone when it is silent for so many milliseconds, although it was asked. Default 15,000; 0: never. */
    deadAfter?: number;
    /** How many milliseconds {@link Node.shutdown} waits for what runs. Default 10,000. */
    shutdownTimeout?: number;
    /** How many milliseconds start waits for an answer from one of `addrs`. Default 5,000. */
    startTimeout?: number;
    /** Whether start fails (ETIMEDOUT) where none has answered. Default false: the node goes on dialing. */
    startNeedsPeer?: boolean;
    /** Where the log goes: a function, or an object such as `console`. Default: nowhere. DEBUG=flatend prints it besides. */
    logger?: ((level: LogLevel, line: string) => void) | Partial<Record<LogLevel, (line: string) => void>>;
    /** The least important lines of the log. Default "info". */
    logLevel?: LogLevel;
}

export interface CallOptions {
    headers?: Headers;
    /** An object is sent as JSON, a stream or an iterator piece by piece. Default: empty. */
    body?: Body;
    /** Ends the call, also while its response is read. */
    signal?: AbortSignal;
    /** Milliseconds until the head of the response has to be there; the provider is told. Default: no limit. */
    timeout?: number;
    /** Who has to answer. Default: any provider. */
    provider?: Provider | bigint;
    /** The request on whose behalf this call is: it ends with that, and has no more time. */
    parent?: Context;
    /** Headers behind the body, or a function that returns them once all of it was sent. Nodes of the old protocol do not
     * get them. */
    trailers?: Headers | (() => Headers);
}

export interface NodeEvents {
    /** A node is connected. */
    peer: [provider: Provider];
    /** It is not any more. */
    lost: [provider: Provider];
    /** An address was dialed in vain as often as `numReconnectAttempts` says. */
    givenup: [provider: Provider];
    /** More of these have happened than could be told: look again with {@link Node.providersFor}. */
    missed: [];
    /** The node shuts down, and what ran has ended. */
    drained: [];
}

export class Node extends EventEmitter {
    /** Makes a node that listens, joins the mesh and serves. Resolves when one of `addrs` has answered, or after
     * `startTimeout`. TypeError: a wrong option, which is named. FlatendError: EADDR, EADDRINUSE, EDENIED (each address has
     * rejected this node), ETIMEDOUT, EREFUSED, EUNREACHABLE, EINVAL, EKEY, ENOENT, EACCESS. */
    static start(options?: NodeOptions): Promise<Node>;

    /** Where peers reach this node; undefined of a node without a key. */
    readonly id: ID | undefined;
    readonly keys: { publicKey: Uint8Array; secretKey: Uint8Array } | undefined;
    /** The functions that serve, by the names of their services. */
    readonly handlers: { [service: string]: Handler };
    /** The connected nodes that have a key. */
    readonly table: Table;
    /** Where this node listens: how to learn a port that was asked for as 0. */
    readonly listenAddrs: string[];

    /** Serves one more service; peers are told. FlatendError: EEXIST, EINVAL, ELIMIT, ECANCELED. */
    addService(name: string, handler: Handler | Service): void;
    /** Serves it no more; what runs goes on. FlatendError: ENOENT, ECANCELED. */
    removeService(name: string): void;

    /** Calls a service, or the first of several that a provider has. Resolves with the head of the response, whatever its
     * status is. FlatendError: ENOPROVIDER, EUNHANDLED, ETIMEDOUT, ECLOSED, ERESET, ECANCELED, ETOOBIG, ELIMIT. */
    call(services: string | string[], options?: CallOptions): Promise<CallResponse>;
    /** The call of 2020. */
    push(services: string[], headers?: Headers, body?: Body): Promise<Stream>;
    /** The connected nodes that provide any of the services, and this one if it does. */
    providersFor(services: string[] | string): Provider[];

    /** Keeps the process alive (the default), or does not. */
    ref(): this;
    unref(): this;
    /** Takes no new requests, waits for what runs (`shutdownTimeout`), and closes. Calling it again gives the same promise. */
    shutdown(): Promise<void>;

    on<E extends keyof NodeEvents>(event: E, listener: (...args: NodeEvents[E]) => void): this;
    once<E extends keyof NodeEvents>(event: E, listener: (...args: NodeEvents[E]) => void): this;
    off<E extends keyof NodeEvents>(event: E, listener: (...args: NodeEvents[E]) => void): this;
}

// ---- requests ----

/** A request, and the response to it. As a stream, it reads the body of the request and writes that of the response. */
export class Context extends Duplex {
    /** The requester. */
    readonly id: ID;
    /** The node that serves the request: to call others. */
    readonly node: Node;
    /** Which of the requested services this is. */
    readonly service: string;

    /** The headers by their names in lower case: those of HTTP, and "params.NAME", "query.NAME", ":method", ":path". Of several
     * of one name, the last. */
    readonly headers: { [name: string]: string };
    /** All of one name. */
    headersAll(name: string): string[];
    /** Names and values in the order in which they came. */
    readonly rawHeaders: string[];
    /** What the client has asked for; undefined if no gateway has. */
    readonly method: string | undefined;
    /** The path with the query, as it was sent. */
    readonly path: string | undefined;
    /** Parameters of the route ("/todos/:id"), and of the query; upper and lower case are the same. */
    readonly params: { [name: string]: string };
    readonly query: { [name: string]: string };
    readonly cookies: { [name: string]: string };

    /** Milliseconds until the requester stops waiting for the head of the response; Infinity if it has not said. */
    readonly remaining: number;
    /** Aborted when the requester has gone, does not want the response any more, or has no more time; the reason is a
     * FlatendError. */
    readonly signal: AbortSignal;
    /** Whether that has happened. */
    readonly isCanceled: boolean;

    /** The whole body. FlatendError: ETOOBIG, with the status 413, beyond `limit` bytes (default 65,536, or the service's);
     * ECLOSED, ECANCELED, ERESET, ETIMEDOUT: the requester is gone. */
    body(options?: { limit?: number }): Promise<Buffer>;
    read(options: { limit?: number }): Promise<Buffer>;
    /** The read of streams. */
    read(size?: number): any;
    /** Headers that came behind the body, once that was read; before the response has ended. */
    readonly trailers: { [name: string]: string };

    /** Sets the status, 200 to 599. Default 200. */
    status(status: number): this;
    statusCode: number;
    /** Sets a header of the response; ignored once the head has left. TypeError: a name that is empty, begins with ":" or has
     * control characters; a value with control characters. */
    header(name: string, value: string | number | boolean | string[]): this;
    /** Adds another one of the same name: Set-Cookie. */
    append(name: string, value: string | number | boolean | string[]): this;
    /** Adds a header behind the body. */
    trailer(name: string, value: string): this;
    /** Whether the head has left. */
    readonly headersSent: boolean;

    /** Writes this, and ends the response. */
    send(data?: string | ArrayBuffer | ArrayBufferView): void;
    /** The same with JSON, and its content-type unless there is one. */
    json(value: any): void;
    /** Ends the request with an error: `status` and `{"error": message}`; behind the head, the response is aborted. */
    fail(status: number, message?: string): void;
    /** The same as RFC 9457 has it: `{"title", "status", "detail"}`. */
    problem(status: number, message?: string): void;

    /** The body, piece by piece. Leaving the loop leaves the response as it is. */
    [Symbol.asyncIterator](): AsyncGenerator<any, void, unknown>;
}

// ---- responses ----

/** The response to a call. Read it, or close it: else it is closed when it is collected. */
export class CallResponse implements AsyncIterable<Buffer> {
    readonly status: number;
    /** Whether the status is from 200 to 299. */
    readonly ok: boolean;
    /** Of several of one name, the last. */
    readonly headers: { [name: string]: string };
    headersAll(name: string): string[];
    readonly rawHeaders: string[];
    /** Headers that came behind the body, once that was read. */
    readonly trailers: { [name: string]: string };
    /** All of the body, also when asked again. FlatendError: ETOOBIG beyond `limit` bytes (default: none), ECLOSED, ERESET,
     * ECANCELED. */
    bytes(options?: { limit?: number }): Promise<Buffer>;
    text(options?: { limit?: number }): Promise<string>;
    json(options?: { limit?: number }): Promise<any>;
    arrayBuffer(options?: { limit?: number }): Promise<ArrayBuffer>;
    /** The body as a stream of the web. */
    readonly body: ReadableStream<Uint8Array>;
    /** The body as a stream of Node.js. */
    stream(): Readable;
    /** The body piece by piece; leaving the loop early closes the response. */
    [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, unknown>;
    /** The rest is not wanted. */
    close(): void;
}

/** What {@link Node.push} gives. */
export class Stream extends EventEmitter {
    readonly id: number;
    readonly status: number;
    readonly headers: { [name: string]: string };
    readonly trailers: { [name: string]: string };
    readonly body: Readable;
}

/** A connected node. */
export class Provider {
    readonly id: ID;
    /** "host:port", "<anon>" of a node without a key. */
    readonly addr: string;
    /** Those of its services that this node has asked for, by {@link Node.providersFor}. */
    readonly services: Set<string>;
    /** Calls this node, whoever else provides the service. */
    push(services: string[], headers?: Headers, body?: Body): Promise<Stream>;
    call(services: string | string[], options?: CallOptions): Promise<CallResponse>;
}

// ---- identities ----

export interface IP {
    kind(): "ipv4" | "ipv6";
    toString(): string;
    toByteArray(): number[];
    isIPv4MappedAddress(): boolean;
    toIPv4Address(): IP;
}

export class ID {
    constructor(publicKey: Uint8Array, host: IP, port: number);
    publicKey: Uint8Array;
    host: IP;
    port: number;
    /** The node has no key: `publicKey` is zero. */
    readonly isAnonymous: boolean;
    /** The node has proven that the key is its own, for this connection: base decisions on nothing else. */
    readonly isProven: boolean;
    /** "host:port", or "<anon>". */
    readonly addr: string;
    encode(): Buffer;
    static decode(bytes: Buffer): [ID, Buffer];
}

export const UpdateResult: { readonly New: 0; readonly Ok: 1; readonly Full: 2; readonly Fail: 3; readonly [index: number]: string };
export type UpdateResult = 0 | 1 | 2 | 3;

/** Identities by their distance to a key, 16 in a bucket. */
export class Table {
    constructor(pub?: Uint8Array);
    pub: Uint8Array;
    cap: number;
    length: number;
    buckets: ID[][];
    update(id: ID): UpdateResult;
    delete(pub: Uint8Array): boolean;
    has(pub: Uint8Array): boolean;
    closestTo(pub: Uint8Array, k?: number): ID[];
}

// ---- keys ----

/** A new Ed25519 secret key: 32 bytes of seed, 32 of the public key. */
export function generateSecretKey(): Buffer;
/** The key in a file that only its owner may read. FlatendError: ENOENT, EACCESS, EKEY, EIO. */
export function loadSecretKey(path: string): Buffer;
/** The same; the file is made if it is not there. */
export function loadOrCreateSecretKey(path: string): Buffer;
/** Writes a key to a new file. FlatendError: EEXIST, EACCESS, EIO. */
export function saveSecretKey(key: Uint8Array, path: string): void;
/** The public half, 32 bytes. */
export function publicKey(secretKey: Uint8Array): Buffer;
/** The secret of a mesh in a file. FlatendError: ENOENT, EACCESS, EKEY, EINVAL, EIO. */
export function loadMeshSecret(path: string): Buffer;

// ---- helpers ----

/** Splits "127.0.0.1:9000", "[::1]:9000", ":9000" (0.0.0.0). */
export function splitHostPort(addr: string): { host: IP; port: number };
/** A TCP address on which a program may listen now. */
export function getAvailableAddress(): Promise<{ family: string; host: IP; port: number }>;

/** Frames that are sealed with AES-256-GCM, with a counter as nonce, as the protocol of 2020 has them. */
export class Session {
    constructor(secret: Uint8Array);
    secret: Uint8Array;
    readNonce: bigint;
    writeNonce: bigint;
    encrypt(src: string | Uint8Array | ArrayBufferLike): Buffer;
    decrypt(buf: Buffer): Buffer;
    decrypted(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, unknown>;
}

/** Waits until a stream takes more; rejects if it closes before. */
export function drain(writable: NodeJS.WritableStream): Promise<void>;
/** Puts the number of its bytes before `src`, as four bytes. */
export function prefixLength(src: string | Uint8Array | ArrayBufferLike): Buffer;
/** Takes apart what prefixLength has made. */
export function lengthPrefixed(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, unknown>;

// ---- applications as services ----

/** Serves a listener of `http.createServer`, or an application of Express, Fastify, Koa or Nest. */
export function fromHttp(app: unknown): Handler;
/** Serves a handler of the Fetch standard, or an object that has one: Hono. */
export function fromFetch(app: ((request: Request) => Response | Promise<Response>) | { fetch: (request: any, ...more: any[]) => Response | Promise<Response> }): Handler;
