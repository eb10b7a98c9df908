/* The keys that session tickets are sealed with (RFC 5077, RFC 8446 §4.6.1): a client that returns
 * within two rotations resumes its session, and no session is kept in memory. They are random,
 * never stored, and rotated: a stolen one opens the sessions of some hours. Any thread. */
#ifndef FE_WEB_TLS_TICKETS_H
#define FE_WEB_TLS_TICKETS_H

#include "ground/base/err.h"

enum {
    FE_TLS_TICKETS_KEPT = 3, /* the newest, which seals, and those that still open */
    FE_TLS_TICKETS_ROTATE_MS = 8 * 3600 * 1000,
};

struct fe_tls_tickets;

/* FLATEND_ENOMEM; FLATEND_EIO: the system has no randomness to give. */
int fe_tls_tickets_new(struct fe_tls_tickets **tickets) FE_MUST_USE;
void fe_tls_tickets_free(struct fe_tls_tickets *tickets); /* NULL is allowed */

/* A new key; the oldest one is forgotten. To be called every FE_TLS_TICKETS_ROTATE_MS.
 * FLATEND_EIO: unchanged. */
int fe_tls_tickets_rotate(struct fe_tls_tickets *tickets) FE_MUST_USE;

#endif
