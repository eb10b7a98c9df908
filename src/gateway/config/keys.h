/* Every key of config.toml, once: its name, type, place, default, bounds, unit and meaning. Out of
 * these lists are made the members of the structs that hold the values (config.h), the tables that
 * the file is read by (keys.c), and the tables in docs/configuration.md and the manual page
 * (tools/reference). A new key is one KEY(...) here, and what uses it.
 *
 *     KEY(name, type, member, attributes of struct fe_config_key...)
 *
 * `name` may have one dot: "timeout.read" is `read` in [http.timeout]. The types are those of
 * FE_CONFIG_MEMBER_* below. What depends on several keys is decided by the functions that finish a
 * table (http.c, https.c, route.c, mesh.c, acme.c). */
#ifndef FE_GATEWAY_CONFIG_KEYS_H
#define FE_GATEWAY_CONFIG_KEYS_H

#include "gateway/toml/toml.h"
#include "ground/base/addr.h"
#include "web/acme/acme.h"

/* Bounds on what a file may ask for, so that a mistyped or generated one is refused, not obeyed. */
enum {
    FE_CONFIG_FILE_MAX = 1 << 20,
    FE_CONFIG_WORKERS_MAX = 256, /* as many as the largest machines have processors */
    FE_CONFIG_LISTENERS_MAX = 64,
    FE_CONFIG_ADDRS_MAX = 64,     /* of one listener */
    FE_CONFIG_DOMAINS_MAX = 100,  /* of one listener: as many names as a certificate may have */
    FE_CONFIG_CERTS_MAX = 100,    /* of one listener: as many as it may have domains */
    FE_CONFIG_ROUTES_MAX = 4096,  /* of one listener */
    FE_CONFIG_SERVICES_MAX = 255, /* of one route: docs/PROTOCOL.md 1.2, a count of one byte */
    FE_CONFIG_SERVICE_NAME_MAX = 255,
    FE_CONFIG_MESH_SERVICES_MAX = 4096,
    FE_CONFIG_CONTACTS_MAX = 16,
    FE_CONFIG_DEAD_AFTER_MAX_MS = 24 * 60 * 60 * 1000,
    FE_CONFIG_RECONNECT_MAX_MS = 24 * 60 * 60 * 1000,
    FE_CONFIG_RECONNECT_ATTEMPTS_MAX = 1000 * 1000,
    FE_CONFIG_RATE_MAX = 1 << 30, /* bytes a second */
    FE_CONFIG_GRACE_MIN_MS = 1000,
    FE_CONFIG_GRACE_MAX_MS = 60 * 60 * 1000,
    FE_CONFIG_HEADER_SIZE_MIN = 1024,
    FE_CONFIG_HEADER_SIZE_MAX = 16 << 20,
};

#define FE_CONFIG_SIZE_MAX        (UINT64_C(1) << 60)            /* a body's limit, bytes */
#define FE_CONFIG_DURATION_MAX_MS (UINT64_C(8760) * 3600 * 1000) /* a year */

#define FE_CONFIG_LETS_ENCRYPT "https://acme-v02.api.letsencrypt.org/directory"

/* ---- the keys ------------------------------------------------------------------------------- */

#define FE_CONFIG_TOP_KEYS(KEY)                                                                    \
    KEY("addr", ADDR, addr, .initial_text = "`--host` and `--port`",                               \
        .line = "where other nodes reach this one; wins over the flags")                           \
    KEY("state_dir", PATH, state_dir, .initial_text = "[https.md](https.md)",                      \
        .line = "where the gateway keeps what it makes and gets: the local CA, certificates, "     \
                "accounts")                                                                        \
    KEY("workers", INTEGER, n_workers, .initial_text = "one for each processor", .min = 1,         \
        .max = FE_CONFIG_WORKERS_MAX, .noun = "a number of threads", .unit = "threads",            \
        .line = "threads that serve HTTP ([gateway.md](gateway.md#workers)). Processors are "      \
                "those that this process may run on; a quota of processor time, as of "            \
                "`docker --cpus`, does not count: set `workers`")                                  \
    KEY("acme", TABLE, acme, .initial_text = "Let's Encrypt",                                      \
        .line = "where certificates come from")                                                    \
    KEY("mesh", TABLE, mesh, .line = "the node's identity, and which peers it trusts")             \
    KEY("http", TABLES, http, .initial_text = "none", .max = FE_CONFIG_LISTENERS_MAX,              \
        .noun = "[[http]] tables", .line = "HTTP listeners")

#define FE_CONFIG_ACME_KEYS(KEY)                                                                   \
    KEY("directory", URL, directory, .initial_string = FE_CONFIG_LETS_ENCRYPT,                     \
        .initial_text = "Let's Encrypt's", .line = "the directory of the CA, with `https://`")     \
    KEY("staging", FLAG, staging,                                                                  \
        .line = "Let's Encrypt's staging environment; excludes `directory`")                       \
    KEY("ca_file", PATH, ca_file, .initial_text = "the system's CAs",                              \
        .line = "a PEM file: the CAs to trust for `directory`")                                    \
    KEY("contacts", STRINGS, contacts, .singular = "contact", .initial_text = "none",              \
        .max = FE_CONFIG_CONTACTS_MAX, .noun = "contacts",                                         \
        .line = "where the CA may write to: mail addresses; add up")                               \
    KEY("key_type", ACME_KEY_TYPE, key_type, .initial_text = "`\"p256\"`",                         \
        .line = "keys of certificates; each has one of its own")                                   \
    KEY("challenges", ACME_CHALLENGES, challenges,                                                 \
        .initial_text = "`[\"http-01\", \"tls-alpn-01\"]`",                                        \
        .line = "how names are proved, in this order")                                             \
    KEY("eab_key_id", STRING, eab_key_id, .initial_text = "none",                                  \
        .line = "external account: its id, as the CA gave it")                                     \
    KEY("eab_hmac_key", STRING, eab_hmac_key_text, .line = "its key, in base64url without `=`")    \
    KEY("eab_hmac_key_file", PATH, eab_hmac_key_file, .line = "a file with that key, instead")     \
    KEY("retry_min", DURATION, retry_min_ms, .initial = 60 * 1000, .min = 1,                       \
        .refusal = "'retry_min' must be positive: the CA limits the rate of requests",             \
        .line = "the pause before the first repetition, and the shortest time between two "        \
                "certificates")

#define FE_CONFIG_MESH_KEYS(KEY)                                                                   \
    KEY("secret_key", PATH, key_path, .initial_text = "a new key with each start",                 \
        .line = "the node's identity: 128 hexadecimal digits, mode 0600. A file that is not "      \
                "there is made")                                                                   \
    KEY("secret", STRING, secret_source, .initial_text = "none",                                   \
        .line = "the secret of the mesh, `\"file:PATH\"` (mode 0600) or `\"env:NAME\"`, 16 to "    \
                "4,096 bytes: a node without it can neither connect nor learn anything. Line "     \
                "ends behind it do not count")                                                     \
    KEY("require_secure", FLAG, require_secure,                                                    \
        .line = "allow no nodes of the old protocol; implied by `secret` and `allow`")             \
    KEY("allow", PUBLIC_KEYS, allowed, .initial_text = "all",                                      \
        .line = "the public keys of the nodes that may connect")                                   \
    KEY("peers", STRINGS, peers, .initial_text = "none",                                           \
        .line =                                                                                    \
            "nodes to join at start, `\"host:port\"` or `\"unix:/path\"`; with `\"KEY@\"` in "     \
            "front only the node with that key is accepted. They are dialed until they answer, "   \
            "and again when they are lost")                                                        \
    KEY("reconnect_attempts", INTEGER, reconnect_attempts,                                         \
        .initial_text = "no end for `peers`; 8 for nodes of which others tell",                    \
        .max = FE_CONFIG_RECONNECT_ATTEMPTS_MAX, .noun = "a number of attempts",                   \
        .line =                                                                                    \
            "how often an address is dialed again before it is given up; the first time after "    \
            "a loss at once. `0`: never")                                                          \
    KEY("reconnect_min", DURATION, reconnect_min_ms, .initial = 500,                               \
        .max = FE_CONFIG_RECONNECT_MAX_MS,                                                         \
        .line = "the first interval: an attempt comes after a random part of it")                  \
    KEY("reconnect_factor", FACTOR, reconnect_factor, .initial = 125, .min = 100, .max = 100000,   \
        .line = "how much longer each interval is than the one before")                            \
    KEY("reconnect_max", DURATION, reconnect_max_ms, .initial = 1000,                              \
        .max = FE_CONFIG_RECONNECT_MAX_MS, .line = "the longest interval")                         \
    KEY("start_timeout", DURATION, start_timeout_ms, .initial = 5000,                              \
        .max = FE_CONFIG_RECONNECT_MAX_MS,                                                         \
        .line = "how long no peer may answer before the gateway says that it has started without") \
    KEY("start_needs_peer", FLAG, start_needs_peer,                                                \
        .line = "without a peer in this time, or with one that rejects it, the gateway ends with " \
                "status 1")                                                                        \
    KEY("dead_after", DURATION, dead_after_ms, .initial = 15 * 1000,                               \
        .max = FE_CONFIG_DEAD_AFTER_MAX_MS,                                                        \
        .line =                                                                                    \
            "keep-alive: a node that has sent nothing for this long, although it was pinged, is "  \
            "gone; `\"0\"`: no pings. Not for nodes of the old protocol, which cannot be pinged")  \
    KEY("services", TABLES, services, .initial_text = "none", .max = FE_CONFIG_MESH_SERVICES_MAX,  \
        .noun = "[[mesh.services]] tables",                                                        \
        .line = "which nodes may provide which service. Any node may provide a service without a " \
                "table")

#define FE_CONFIG_RULE_KEYS(KEY)                                                                   \
    KEY("name", STRING, name, .initial_text = "required", .line = "a service")                     \
    KEY("keys", PUBLIC_KEYS, keys, .initial_text = "required",                                     \
        .line = "the nodes that may provide it")

#define FE_CONFIG_HTTP_KEYS(KEY)                                                                   \
    KEY("addrs", ADDRS, addrs, .singular = "addr",                                                 \
        .initial_text = "`\":80\"`; with `https` `\":443\"`", .max = FE_CONFIG_ADDRS_MAX,          \
        .noun = "addresses in an [[http]]", .is_set = true,                                        \
        .line = "where to serve; add up, repetitions count once")                                  \
    KEY("https", HTTPS, https, .initial_text = "`false`",                                          \
        .line = "`true`: with `cert` and `key`, or with names, by [ACME](https.md). `\"local\"`: " \
                "with a certificate of the [local CA](https.md)")                                  \
    KEY("domains", VIEWS, domains, .singular = "domain",                                           \
        .initial_text = "with `\"local\"`: `localhost`, `127.0.0.1`, `::1`",                       \
        .max = FE_CONFIG_DOMAINS_MAX, .noun = "domains in an [[http]]", .is_set = true,            \
        .line = "names of the site; add up, ignored without `https`")                              \
    KEY("cert", PATH, chain_path, .needs_https = true,                                             \
        .line = "a PEM file: the certificate and its chain. Read again when it changes")           \
    KEY("key", PATH, key_path, .needs_https = true,                                                \
        .line = "a PEM file: the certificate's key. Read again when it changes")                   \
    KEY("certificates", TABLES, certificates, .needs_https = true, .initial_text = "none",         \
        .max = FE_CONFIG_CERTS_MAX, .noun = "certificates in an [[http]]",                         \
        .line = "more of them, each with `cert` and `key`")                                        \
    KEY("redirect_http", REDIRECT, redirect, .needs_https = true,                                  \
        .initial_text = "port 80, for addresses with port 443",                                    \
        .line = "where HTTP is redirected to HTTPS")                                               \
    KEY("hsts", DURATION, hsts_ms, .needs_https = true, .initial_text = "none",                    \
        .line = "`Strict-Transport-Security`: for how long browsers insist on HTTPS")              \
    KEY("redirect_trailing_slash", FLAG, redirect_trailing_slash, .initial = true,                 \
        .line = "redirect `/hello/` to `/hello` and the reverse, if only that one is a route")     \
    KEY("redirect_fixed_path", FLAG, redirect_fixed_path, .initial = true,                         \
        .line = "redirect a path that differs from a route's in letter case, `//`, `.` or `..` "   \
                "only")                                                                            \
    KEY("timeout.read_header", DURATION, read_header_ms, .initial = 10 * 1000,                     \
        .line = "from the first byte of a request (or the accept) to the end of its header; as "   \
                "much again for a TLS handshake")                                                  \
    KEY("timeout.read", DURATION, read_ms, .initial = 10 * 1000,                                   \
        .line = "between two pieces of a request body")                                            \
    KEY("timeout.write", DURATION, write_ms, .initial = 10 * 1000,                                 \
        .line = "between two pieces of a response that the client takes")                          \
    KEY("timeout.idle", DURATION, idle_ms, .initial = 10 * 1000,                                   \
        .line = "between two requests of a connection")                                            \
    KEY("timeout.min_rate", SIZE, min_rate, .initial = 256, .initial_text = "`256`",               \
        .max = FE_CONFIG_RATE_MAX, .noun = "a number of bytes a second",                           \
        .line = "bytes a second: clients that take or send less are cut off. Counts only while "   \
                "bytes wait for the client, or a service for its body; `0`: no limit")             \
    KEY("timeout.min_rate_grace", DURATION, min_rate_grace_ms, .initial = 30 * 1000,               \
        .min = FE_CONFIG_GRACE_MIN_MS, .max = FE_CONFIG_GRACE_MAX_MS,                              \
        .line = "over how much of that time `min_rate` is measured; before it nothing is cut off") \
    KEY("timeout.shutdown", DURATION, shutdown_ms, .initial = 10 * 1000,                           \
        .line = "how long running requests may take when the gateway stops; `\"0\"`: they are "    \
                "ended at once")                                                                   \
    KEY("max.header_size", SIZE, header_max, .initial = 1 << 20, .min = FE_CONFIG_HEADER_SIZE_MIN, \
        .max = FE_CONFIG_HEADER_SIZE_MAX, .noun = "a header size",                                 \
        .line = "request line and header; larger: 431")                                            \
    KEY("max.body_size", SIZE, body_max, .initial = UINT64_MAX, .initial_text = "no limit",        \
        .line = "larger request bodies: 413")                                                      \
    KEY("min.body_size", SIZE, body_min,                                                           \
        .line = "smaller request bodies: 400; inherited by `POST`, `PUT` and `PATCH` routes to "   \
                "services")                                                                        \
    KEY("routes", TABLES, routes, .initial_text = "none", .max = FE_CONFIG_ROUTES_MAX,             \
        .noun = "routes in an [[http]]", .line = "what is served")

#define FE_CONFIG_CERT_KEYS(KEY)                                                                   \
    KEY("cert", PATH, chain_path, .initial_text = "required",                                      \
        .line = "a PEM file: the certificate and its chain")                                       \
    KEY("key", PATH, key_path, .initial_text = "required",                                         \
        .line = "a PEM file: the certificate's key")

#define FE_CONFIG_ROUTE_KEYS(KEY)                                                                  \
    KEY("path", STRING, path, .initial_text = "required",                                          \
        .line = "method and pattern, `\"GET /users/:id\"`")                                        \
    KEY("services", VIEWS, services, .singular = "service", .max = FE_CONFIG_SERVICES_MAX,         \
        .noun = "services in a route", .is_set = true,                                             \
        .line =                                                                                    \
            "the services that answer; add up. Any node that provides one of them may be called")  \
    KEY("static", PATH, static_path, .line = "a file or directory to serve; method `GET` only")    \
    KEY("nocache", FLAG, no_cache, .line = "forbid storing the response in caches")                \
    KEY("browse", FLAG, browse, .line = "list a directory that has no `index.html`")               \
    KEY("timeout.response", DURATION, timeout_ms, .initial = 30 * 1000, .is_group_value = true,    \
        .line = "until the first byte of a service's response: 504. `timeout = \"30s\"` is short " \
                "for it")                                                                          \
    KEY("timeout.read", DURATION, read_ms, .initial_text = "the listener's",                       \
        .line = "as the listener's, for this route; `\"0\"`: no limit, for bodies that pause")     \
    KEY("timeout.write", DURATION, write_ms, .initial_text = "the listener's",                     \
        .line = "as the listener's, for this route; `\"0\"`: no limit")                            \
    KEY("timeout.min_rate", SIZE, min_rate, .initial_text = "the listener's",                      \
        .max = FE_CONFIG_RATE_MAX, .noun = "a number of bytes a second",                           \
        .line = "as the listener's, for this route; `0`: no limit")                                \
    KEY("min.body_size", SIZE, body_min, .initial_text = "the listener's",                         \
        .line = "as the listener's, for this route")                                               \
    KEY("max.body_size", SIZE, body_max, .initial_text = "the listener's",                         \
        .line = "as the listener's, for this route; may be above it")

/* ---- where their values are ----------------------------------------------------------------- */

/* `redirect_http`: an address, or whether at all. */
struct fe_config_redirect {
    struct fe_addr addr;
    bool has_addr;
    bool is_off;
    struct fe_toml_pos pos;
};

/* The member of a struct that a key's value is read into, by its type. Lists remember where each
 * item was given. What is in a table of its own has no member: the struct says how it is kept. */
#define FE_CONFIG_MEMBER_FLAG(m)          bool m;
#define FE_CONFIG_MEMBER_INTEGER(m)       unsigned m;
#define FE_CONFIG_MEMBER_FACTOR(m)        double m;
#define FE_CONFIG_MEMBER_DURATION(m)      uint64_t m;    /* milliseconds */
#define FE_CONFIG_MEMBER_SIZE(m)          uint64_t m;    /* bytes */
#define FE_CONFIG_MEMBER_STRING(m)        const char *m; /* NULL: not given, and without a default */
#define FE_CONFIG_MEMBER_PATH(m)          FE_CONFIG_MEMBER_STRING(m)
#define FE_CONFIG_MEMBER_URL(m)           FE_CONFIG_MEMBER_STRING(m)
#define FE_CONFIG_MEMBER_ADDR(m)          struct fe_addr m;
#define FE_CONFIG_MEMBER_VIEWS(m)         FE_CONFIG_MEMBER_LIST(struct fe_view, m)
#define FE_CONFIG_MEMBER_STRINGS(m)       FE_CONFIG_MEMBER_LIST(const char *, m)
#define FE_CONFIG_MEMBER_ADDRS(m)         FE_CONFIG_MEMBER_LIST(struct fe_addr, m)
#define FE_CONFIG_MEMBER_PUBLIC_KEYS(m)   FE_CONFIG_MEMBER_LIST(struct flatend_public_key, m)
#define FE_CONFIG_MEMBER_HTTPS(m)         enum fe_https_mode m;
#define FE_CONFIG_MEMBER_REDIRECT(m)      struct fe_config_redirect m;
#define FE_CONFIG_MEMBER_ACME_KEY_TYPE(m) enum fe_acme_key_type m;
#define FE_CONFIG_MEMBER_ACME_CHALLENGES(m)                                                        \
    enum fe_acme_challenge_type m[FE_ACME_N_CHALLENGE_TYPES];                                      \
    size_t n_##m;
#define FE_CONFIG_MEMBER_TABLE(m)
#define FE_CONFIG_MEMBER_TABLES(m)
#define FE_CONFIG_MEMBER_LIST(item, m)                                                             \
    item *m;                                                                                       \
    struct fe_toml_pos *m##_pos;                                                                   \
    size_t n_##m;

/* For a list of keys: declares the members. */
#define FE_CONFIG_MEMBER(name, type, m, ...) FE_CONFIG_MEMBER_##type(m)

#endif
