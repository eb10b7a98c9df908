/* Two nodes that shake hands while an attacker may change what travels, and how that ends. */
#ifndef TESTS_SUPPORT_MEETING_H
#define TESTS_SUPPORT_MEETING_H

#include "support/pair.h"

/* What travels before the session is open, in this order. */
enum meeting_message {
    MEETING_INITIATOR_KEY,
    MEETING_RESPONDER_KEY,
    MEETING_HELLO,
    MEETING_ANSWER,
    MEETING_LATER,
};

struct meeting {
    struct pair pair;
    struct fe_trust trust[2]; /* see meeting_trust */
    const uint8_t *pin;       /* that the initiator has; NULL: none */
    /* Changes a message on its way. NULL: none is changed. */
    void (*tamper)(void *arg, enum meeting_message message, uint8_t *bytes, size_t len);
    void *arg;
    /* How it ended, for each side. */
    int code[2];
    struct flatend_error err[2];
    unsigned n_handshakes[2];
    bool is_proven[2]; /* what HELLO said of the peer */
};

/* As pair_init; each side may then be given trust with meeting_trust. */
void meeting_init(struct meeting *meeting, uint64_t seed);
void meeting_deinit(struct meeting *meeting);

/* The side's trust, empty at first. */
struct fe_trust *meeting_trust(struct meeting *meeting, int side);

/* Runs until neither side has anything to send. What a side has sent before it failed still
 * arrives. */
void meeting_run(struct meeting *meeting);

/* Both are open, and the session is secure. */
void meeting_expect_secure(const struct meeting *meeting);
/* Both are open, in the old dialect. */
void meeting_expect_old(const struct meeting *meeting);
/* This side failed with that code and text ("": it did not fail). */
void meeting_expect_fault(const struct meeting *meeting, int side, int code, const char *text);

#endif
