/* The ACME machine with a server that is a function, a disk that is memory, and time that a test
 * lets pass. The trace has what was asked for: "GET /dir", "publish http-01 a.test", "save order".
 */
#ifndef TESTS_SUPPORT_ACME_RIG_H
#define TESTS_SUPPORT_ACME_RIG_H

#include "support/acme_ca.h"
#include "support/trace.h"

#define ACME_RIG_START_MS (UINT64_C(1800000000) * 1000)
#define ACME_RIG_NEVER    UINT64_MAX

struct acme_rig {
    struct trace trace;
    struct acme_ca ca;
    struct fe_acme_config config;
    struct fe_rng_seeded seeded;
    struct fe_log log;
    struct fe_acme *machine;
    uint64_t now_ms;
    uint64_t wake_ms;  /* a wake-up comes once; with nothing under way the machine waits for one */
    unsigned n_locks;  /* taken and not given back */
    bool is_taken;     /* another process has the names */
    bool has_no_space; /* the disk: nothing is kept */

    /* The disk. */
    char *account_key; /* PEM */
    char *order_key;
    char *account_text;
    char *order_text;
    char *certificate; /* key and chain */
    unsigned n_installed;

    /* What is under way. */
    char method[8];
    char url[2048];
    char *body;
    size_t body_len;
    bool has_request;
    bool wants_key;
    enum fe_acme_challenge_type published;
    bool is_published;
    char last_log[512];

    /* Called around each call of the machine, if set. */
    void (*before)(void);
    void (*after)(void);
};

void acme_rig_init(struct acme_rig *rig);
void acme_rig_deinit(struct acme_rig *rig);

/* A machine on what the disk holds; false: out of memory. */
bool acme_rig_start(struct acme_rig *rig);
/* As kill -9 ends it: nothing is written, locks are gone. */
void acme_rig_kill(struct acme_rig *rig);

/* Answers what is under way, or lets time pass until the machine wants to wake. */
void acme_rig_step(struct acme_rig *rig);
/* Until that many certificates have been installed, in at most `max` steps. */
bool acme_rig_run(struct acme_rig *rig, unsigned n_installed, unsigned max);
/* Until the machine waits with nothing under way. */
bool acme_rig_rest(struct acme_rig *rig, unsigned max);

#endif
