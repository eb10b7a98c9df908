/* No key is ever used twice with the same nonce: every seal of a whole conversation is written down
 * (tests/CMakeLists.txt puts these functions before those of src/mesh/crypto/aead.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/session/record.h"
#include "support/meeting.h"
#include "support/talk.h"

enum { SEALS_MAX = 4096, CONTEXTS_MAX = 64 };

struct seal {
    uint8_t key[FE_AEAD_KEY_LEN];
    uint8_t nonce[FE_AEAD_NONCE_LEN];
};

/* A test program has one thread; each test begins with forget(). */
static struct {
    struct {
        const struct fe_aead *aead;
        uint8_t key[FE_AEAD_KEY_LEN];
    } contexts[CONTEXTS_MAX];
    size_t n_contexts;
    struct seal seals[SEALS_MAX];
    size_t n_seals;
    bool fails_next_rekey; /* for want of memory */
} notes;

struct fe_aead *__real_fe_aead_new(const uint8_t key[FE_AEAD_KEY_LEN], bool is_seal);
int __real_fe_aead_rekey(struct fe_aead *aead, const uint8_t key[FE_AEAD_KEY_LEN]);
int __real_fe_aead_seal(struct fe_aead *aead, const uint8_t nonce[FE_AEAD_NONCE_LEN],
                        struct fe_view ad, const struct fe_view *parts, size_t n_parts,
                        uint8_t *out);
struct fe_aead *__wrap_fe_aead_new(const uint8_t key[FE_AEAD_KEY_LEN], bool is_seal);
int __wrap_fe_aead_rekey(struct fe_aead *aead, const uint8_t key[FE_AEAD_KEY_LEN]);
int __wrap_fe_aead_seal(struct fe_aead *aead, const uint8_t nonce[FE_AEAD_NONCE_LEN],
                        struct fe_view ad, const struct fe_view *parts, size_t n_parts,
                        uint8_t *out);

static uint8_t *key_of(const struct fe_aead *aead)
{
    for (size_t i = 0; i < notes.n_contexts; i++) {
        if (notes.contexts[i].aead == aead) {
            return notes.contexts[i].key;
        }
    }
    assert_true(notes.n_contexts < CONTEXTS_MAX);
    notes.contexts[notes.n_contexts].aead = aead;
    return notes.contexts[notes.n_contexts++].key;
}

struct fe_aead *__wrap_fe_aead_new(const uint8_t key[FE_AEAD_KEY_LEN], bool is_seal)
{
    struct fe_aead *aead = __real_fe_aead_new(key, is_seal);

    memcpy(key_of(aead), key, FE_AEAD_KEY_LEN);
    return aead;
}

int __wrap_fe_aead_rekey(struct fe_aead *aead, const uint8_t key[FE_AEAD_KEY_LEN])
{
    if (notes.fails_next_rekey) {
        notes.fails_next_rekey = false;
        return FLATEND_ENOMEM;
    }
    memcpy(key_of(aead), key, FE_AEAD_KEY_LEN);
    return __real_fe_aead_rekey(aead, key);
}

int __wrap_fe_aead_seal(struct fe_aead *aead, const uint8_t nonce[FE_AEAD_NONCE_LEN],
                        struct fe_view ad, const struct fe_view *parts, size_t n_parts,
                        uint8_t *out)
{
    struct seal *seal = &notes.seals[notes.n_seals];

    assert_true(notes.n_seals < SEALS_MAX);
    memcpy(seal->key, key_of(aead), sizeof(seal->key));
    memcpy(seal->nonce, nonce, sizeof(seal->nonce));
    notes.n_seals++;
    return __real_fe_aead_seal(aead, nonce, ad, parts, n_parts, out);
}

static void forget(void)
{
    notes.n_contexts = 0;
    notes.n_seals = 0;
    notes.fails_next_rekey = false;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct seal));
}

/* Of the seals so far: pairs of key and nonce that were there before; keys in all. */
static size_t count_repeated(size_t *n_keys)
{
    size_t n = 0;

    qsort(notes.seals, notes.n_seals, sizeof(notes.seals[0]), compare);
    *n_keys = notes.n_seals > 0;
    for (size_t i = 1; i < notes.n_seals; i++) {
        n += compare(&notes.seals[i - 1], &notes.seals[i]) == 0;
        *n_keys += memcmp(notes.seals[i - 1].key, notes.seals[i].key, FE_AEAD_KEY_LEN) != 0;
    }
    return n;
}

static void talk_more(struct pair *pair, unsigned n)
{
    struct flatend_error err = {0};

    for (unsigned i = 0; i < n; i++) {
        struct fe_sender *sender = pair_sender(pair, (int)(i & 1));

        assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("more")), 0);
        assert_int_equal(pair_carry(pair, (int)(i & 1), 0, NULL, NULL, &err), 0);
    }
}

/* K, then one key a direction, then two more of each, because they are renewed twice. */
static void a_conversation(void **state)
{
    struct flatend_error err = {0};
    struct talk talk;
    size_t n_keys;

    (void)state;
    forget();
    talk_init(&talk, 1, false);
    assert_int_equal(talk_run(&talk, talk_whole, NULL, &err), 0);
    for (int renewal = 0; renewal < 2; renewal++) {
        for (int i = 0; i < 2; i++) {
            struct pair_side *sides = talk.pair.sides;
            /* The test does not send 2^24 records. Only forwards: that repeats no nonce. */
            sides[i].session.sent = FE_SECURE_REKEY_RECORDS - 2 - (uint64_t)renewal;
            sides[1 - i].session.received = sides[i].session.sent;
        }
        talk_more(&talk.pair, 20);
    }
    assert_true(notes.n_seals > 40);
    assert_int_equal(count_repeated(&n_keys), 0);
    assert_int_equal(n_keys, 1 + 2 * 3);
    talk_deinit(&talk);
}

/* Both sides are about to take the next key in the direction from the initiator. */
static void come_to_renewal(struct talk *talk)
{
    struct pair_side *sides = talk->pair.sides;
    struct flatend_error err = {0};

    forget();
    talk_init(talk, 1, false);
    assert_int_equal(talk_run(talk, talk_whole, NULL, &err), 0);
    sides[PAIR_INITIATOR].session.sent = FE_SECURE_REKEY_RECORDS - 1;
    sides[PAIR_RESPONDER].session.received = FE_SECURE_REKEY_RECORDS - 1;
    talk_more(&talk->pair, 1);
}

/* Nothing is sealed without the next key, however often it is tried: neither under the old key from
 * nonce 0 again, nor beyond its end. */
static void a_renewal_that_fails(void **state)
{
    struct fe_sender *sender;
    struct talk talk;
    size_t n_keys;
    size_t n_seals;

    (void)state;
    come_to_renewal(&talk);
    sender = pair_sender(&talk.pair, PAIR_INITIATOR);
    assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("more")), 0);
    n_seals = notes.n_seals;
    for (int i = 0; i < 3; i++) {
        notes.fails_next_rekey = true;
        assert_int_equal(fe_session_flush(&talk.pair.sides[PAIR_INITIATOR].session),
                         FLATEND_ENOMEM);
        assert_int_equal(notes.n_seals, n_seals);
    }
    talk_more(&talk.pair, 9); /* there is memory again: the peer can follow */
    assert_true(notes.n_seals > n_seals);
    assert_int_equal(count_repeated(&n_keys), 0);
    assert_int_equal(n_keys, 1 + 2 + 1);
    talk_deinit(&talk);
}

/* It is our fault, and no forgery. */
static void a_renewal_that_fails_where_it_is_read(void **state)
{
    struct flatend_error err = {0};
    struct fe_sender *sender;
    struct talk talk;

    (void)state;
    come_to_renewal(&talk);
    sender = pair_sender(&talk.pair, PAIR_INITIATOR);
    assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("more")), 0);
    assert_int_equal(fe_session_flush(&talk.pair.sides[PAIR_INITIATOR].session), 0);
    notes.fails_next_rekey = true;
    assert_int_equal(pair_carry(&talk.pair, PAIR_INITIATOR, 0, NULL, NULL, &err), FLATEND_ENOMEM);
    assert_false(notes.fails_next_rekey);
    assert_int_equal(talk.pair.sides[PAIR_RESPONDER].session.state, FE_SESSION_FAILED);
    talk_deinit(&talk);
}

static void expect_no_repetition(void (*prepare)(struct meeting *m), size_t n_keys_expected)
{
    struct meeting m;
    size_t n_keys;

    forget();
    meeting_init(&m, 1);
    prepare(&m);
    meeting_run(&m);
    assert_int_equal(count_repeated(&n_keys), 0);
    assert_int_equal(n_keys, n_keys_expected);
    meeting_deinit(&m);
}

static void give_secret(struct meeting *m)
{
    meeting_trust(m, PAIR_RESPONDER)->has_secret = true;
}

static void allow_none(struct meeting *m)
{
    static const uint8_t none[1][FE_KEY_LEN];

    meeting_trust(m, PAIR_INITIATOR)->allowed = none;
    meeting_trust(m, PAIR_INITIATOR)->n_allowed = 1;
}

/* K, and that of the refusal. */
static void a_refusal(void **state)
{
    (void)state;
    expect_no_repetition(give_secret, 2);
}

/* K, and one a direction: the answer, and the GOAWAY. */
static void a_rejection(void **state)
{
    (void)state;
    expect_no_repetition(allow_none, 3);
}

/* The old dialect is where this test finds something: it can fail. */
static void the_old_dialect_repeats_itself(void **state)
{
    struct flatend_error err = {0};
    struct talk talk;
    size_t n_keys;

    (void)state;
    forget();
    talk_init(&talk, 1, true);
    assert_int_equal(talk_run(&talk, talk_whole, NULL, &err), 0);
    assert_true(count_repeated(&n_keys) > 0);
    assert_int_equal(n_keys, 1);
    talk_deinit(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversation),
        cmocka_unit_test(a_renewal_that_fails),
        cmocka_unit_test(a_renewal_that_fails_where_it_is_read),
        cmocka_unit_test(a_refusal),
        cmocka_unit_test(a_rejection),
        cmocka_unit_test(the_old_dialect_repeats_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
