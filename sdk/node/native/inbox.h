/* Records for JavaScript, in memory of JavaScript's: one call tells all of them.
 *
 * A record is a number of 32-bit words in the machine's order, then bytes without separators, and
 * up to three zeros so that the next one begins at a word again:
 *
 *     0: words of the record   1: type   2: id   3: code (signed)   then by type
 *
 *     REQUEST   4 service id  5 flags  6 n headers  7 head bytes  8 body bytes
 *               9 remaining ms (2^32-1: none)  10 port  11..18 public key  19 host bytes
 *               20.. n times: bytes of the name, bytes of the value
 *               bytes: host, head (name value name value ...), body
 *     RESPONSE  4 status  5 flags  6 n headers  7 head bytes  8 body bytes
 *               9.. n times: bytes of the name, bytes of the value
 *               bytes: head, body
 *     FAILED    4 text bytes; bytes: text
 *     PEER_*    4 port  5 flags  6..13 public key  14 host bytes  15, 16 handle; bytes: host
 *     LOG       4 text bytes; bytes: text. `code` is the level
 *     others    nothing more
 *
 * The body of a REQUEST or a RESPONSE is what a read has given at once. If it is not complete, read
 * goes on: READABLE may come before that without need. After a RESPONSE whose body is complete
 * nothing of the call follows but WRITABLE, where that is owed; its trailers can be asked for. */
#ifndef ADDON_INBOX_H
#define ADDON_INBOX_H

#include <flatend.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchanges.h"
#include "pending.h"

enum addon_record_flags {
    ADDON_RECORD_COMPLETE = 1,  /* there is no more of the body */
    ADDON_RECORD_ASCII = 2,     /* all of the head is */
    ADDON_RECORD_ANONYMOUS = 4, /* the requester, or the peer */
    ADDON_RECORD_PROVEN = 8,
};

enum { ADDON_INBOX_MIN = 65536 };

struct addon_inbox {
    uint8_t *bytes;
    size_t cap;
    size_t len;        /* whole records */
    size_t at;         /* where the next bytes of the open one go */
    bool is_exhausted; /* the open one does not fit */
};

/* Each appends one record. False: it does not fit, and nothing has happened. */
bool addon_inbox_request(struct addon_inbox *inbox, struct addon_exchange *request,
                         uint32_t service);
bool addon_inbox_response(struct addon_inbox *inbox, struct addon_exchange *call);
bool addon_inbox_peer(struct addon_inbox *inbox, int type, const struct flatend_provider *peer);
bool addon_inbox_text(struct addon_inbox *inbox, int type, int code, const char *text);
bool addon_inbox_event(struct addon_inbox *inbox, int type, uint32_t id, int code);

#endif
