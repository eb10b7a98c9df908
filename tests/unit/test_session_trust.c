/* Which peers are allowed: old and new ones, mesh secrets, allowed keys, pinned keys, services. A
 * peer that is rejected learns why, and so does the one that rejects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/meeting.h"

enum { I = PAIR_INITIATOR, R = PAIR_RESPONDER };

#define OLD_IS_DENIED "peer does not support secure sessions, which are required"
#define NOT_AUTHENTIC "first record does not authenticate: wrong or missing mesh secret?"

static int setup(void **state)
{
    static struct meeting meeting; /* one test at a time */

    meeting_init(&meeting, 1);
    *state = &meeting;
    return 0;
}

static int teardown(void **state)
{
    meeting_deinit(*state);
    return 0;
}

static void be_old(struct meeting *m, int side)
{
    m->pair.sides[side].self.is_old_only = true;
}

static const uint8_t *key_of(const struct meeting *m, int side)
{
    return m->pair.sides[side].self.id.public_key;
}

static void expect_refused(const struct meeting *m, int side, const char *text)
{
    meeting_expect_fault(m, side, FLATEND_EDENIED, text);
    assert_true(m->pair.sides[side].session.is_refused);
    assert_false(m->pair.sides[1 - side].session.is_refused);
}

/* ---- old and new ---------------------------------------------------------------------------- */

static void two_secure_peers_are_secure(void **state)
{
    meeting_run(*state);
    meeting_expect_secure(*state);
}

static void an_old_initiator_is_welcome(void **state)
{
    be_old(*state, I);
    meeting_run(*state);
    meeting_expect_old(*state);
}

static void an_old_responder_is_welcome(void **state)
{
    be_old(*state, R);
    meeting_run(*state);
    meeting_expect_old(*state);
}

static void two_old_peers(void **state)
{
    be_old(*state, I);
    be_old(*state, R);
    meeting_run(*state);
    meeting_expect_old(*state);
}

static void anonymous_peers_are_secure(void **state)
{
    struct meeting *m = *state;

    pair_make_anonymous(&m->pair, I);
    meeting_run(m);
    meeting_expect_secure(m);
    assert_false(m->pair.sides[R].session.has_peer_id);
}

static void two_anonymous_peers_are_secure(void **state)
{
    struct meeting *m = *state;

    pair_make_anonymous(&m->pair, I);
    pair_make_anonymous(&m->pair, R);
    meeting_run(m);
    meeting_expect_secure(m);
}

/* An old session works on: the keys, counters and ids are those of part 1. */
static void an_old_session_goes_on(void **state)
{
    struct meeting *m = *state;
    struct fe_sender *sender = pair_sender(&m->pair, I);
    const struct fe_view service = FE_VIEW_LIT("echo");
    struct flatend_error err = {0};

    be_old(m, R);
    meeting_run(m);
    meeting_expect_old(m);
    assert_int_equal(sender->ops->next_stream(sender), 0x40000001);
    for (int i = 0; i < 3; i++) {
        sender = pair_sender(&m->pair, i & 1);
        assert_int_equal(sender->ops->request(sender, 8, &service, 1, NULL, 0), 0);
        assert_int_equal(pair_carry(&m->pair, i & 1, 0, NULL, NULL, &err), 0);
    }
}

static void a_node_may_require_secure_responders(void **state)
{
    struct meeting *m = *state;

    meeting_trust(m, I)->require_secure = true;
    be_old(m, R);
    meeting_run(m);
    meeting_expect_fault(m, I, FLATEND_EDENIED, OLD_IS_DENIED);
}

static void a_node_may_require_secure_initiators(void **state)
{
    struct meeting *m = *state;

    meeting_trust(m, R)->require_secure = true;
    be_old(m, I);
    meeting_run(m);
    meeting_expect_fault(m, R, FLATEND_EDENIED, OLD_IS_DENIED);
    assert_int_equal(m->n_handshakes[I], 0);
}

static void secure_peers_meet_where_they_are_required(void **state)
{
    meeting_trust(*state, I)->require_secure = true;
    meeting_trust(*state, R)->require_secure = true;
    meeting_run(*state);
    meeting_expect_secure(*state);
}

/* ---- mesh secrets --------------------------------------------------------------------------- */

static void give_secret(struct meeting *m, int side, uint8_t secret)
{
    struct fe_trust *trust = meeting_trust(m, side);

    trust->has_secret = true;
    memset(trust->secret, secret, sizeof(trust->secret));
}

static void members_of_one_mesh(void **state)
{
    give_secret(*state, I, 7);
    give_secret(*state, R, 7);
    meeting_run(*state);
    meeting_expect_secure(*state);
}

static void anonymous_members_of_one_mesh(void **state)
{
    struct meeting *m = *state;

    pair_make_anonymous(&m->pair, I);
    pair_make_anonymous(&m->pair, R);
    give_secret(m, I, 7);
    give_secret(m, R, 7);
    meeting_run(m);
    meeting_expect_secure(m);
}

static void an_initiator_without_the_secret(void **state)
{
    struct meeting *m = *state;

    give_secret(m, R, 7);
    meeting_run(m);
    meeting_expect_fault(m, R, FLATEND_EDENIED, "a mesh secret is required");
    expect_refused(m, I, "rejected by the peer: a mesh secret is required");
}

static void a_responder_without_the_secret(void **state)
{
    struct meeting *m = *state;

    give_secret(m, I, 7);
    meeting_run(m);
    meeting_expect_fault(m, R, FLATEND_EDENIED, NOT_AUTHENTIC);
    expect_refused(m, I, "rejected by the peer: " NOT_AUTHENTIC);
}

static void members_of_different_meshes(void **state)
{
    struct meeting *m = *state;

    give_secret(m, I, 7);
    give_secret(m, R, 8);
    meeting_run(m);
    meeting_expect_fault(m, R, FLATEND_EDENIED, NOT_AUTHENTIC);
    expect_refused(m, I, "rejected by the peer: " NOT_AUTHENTIC);
}

static void an_old_initiator_at_a_closed_mesh(void **state)
{
    struct meeting *m = *state;

    give_secret(m, R, 7);
    be_old(m, I);
    meeting_run(m);
    meeting_expect_fault(m, R, FLATEND_EDENIED, OLD_IS_DENIED);
    assert_int_equal(m->n_handshakes[I], 0);
}

/* It cannot even read the initiator's id. */
static void an_old_responder_at_a_closed_mesh(void **state)
{
    struct meeting *m = *state;

    give_secret(m, I, 7);
    be_old(m, R);
    meeting_run(m);
    assert_int_equal(m->code[R], FLATEND_EDECRYPT);
    assert_int_equal(m->n_handshakes[R], 0);
    assert_int_equal(m->n_handshakes[I], 0);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void allow(struct meeting *m, int side, const uint8_t *key)
{
    meeting_trust(m, side)->allowed = (const uint8_t(*)[FE_KEY_LEN])(const void *)key;
    meeting_trust(m, side)->n_allowed = 1;
}

static void keys_that_are_allowed(void **state)
{
    struct meeting *m = *state;

    allow(m, I, key_of(m, R));
    allow(m, R, key_of(m, I));
    meeting_run(m);
    meeting_expect_secure(m);
}

static void an_initiator_whose_key_is_not_allowed(void **state)
{
    struct meeting *m = *state;

    allow(m, R, key_of(m, R));
    meeting_run(m);
    meeting_expect_fault(m, R, FLATEND_EDENIED, "key not allowed");
    expect_refused(m, I, "rejected by the peer: key not allowed");
    assert_int_equal(m->n_handshakes[R], 0);
    assert_int_equal(m->n_handshakes[I], 0);
}

static void a_responder_whose_key_is_not_allowed(void **state)
{
    struct meeting *m = *state;

    allow(m, I, key_of(m, I));
    meeting_run(m);
    meeting_expect_fault(m, I, FLATEND_EDENIED, "key not allowed");
    expect_refused(m, R, "rejected by the peer: key not allowed");
    assert_int_equal(m->n_handshakes[I], 0);
}

static void an_anonymous_initiator_where_keys_are_listed(void **state)
{
    struct meeting *m = *state;

    allow(m, R, key_of(m, I));
    pair_make_anonymous(&m->pair, I);
    meeting_run(m);
    meeting_expect_fault(m, R, FLATEND_EDENIED, "anonymous node not allowed");
    expect_refused(m, I, "rejected by the peer: anonymous node not allowed");
}

static void an_old_initiator_where_keys_are_listed(void **state)
{
    struct meeting *m = *state;

    allow(m, R, key_of(m, I));
    be_old(m, I);
    meeting_run(m);
    meeting_expect_fault(m, R, FLATEND_EDENIED, OLD_IS_DENIED);
}

static void run_pinned(struct meeting *m, const uint8_t *key)
{
    m->pin = key;
    meeting_run(m);
}

static void the_pinned_key(void **state)
{
    struct meeting *m = *state;

    run_pinned(m, key_of(m, R));
    meeting_expect_secure(m);
}

static void another_key_than_the_pinned_one(void **state)
{
    struct meeting *m = *state;

    run_pinned(m, key_of(m, I));
    meeting_expect_fault(m, I, FLATEND_EDENIED, "key does not match the pinned key");
    expect_refused(m, R, "rejected by the peer: key does not match the pinned key");
}

static void an_anonymous_responder_where_a_key_is_pinned(void **state)
{
    struct meeting *m = *state;

    pair_make_anonymous(&m->pair, R);
    run_pinned(m, key_of(m, R));
    meeting_expect_fault(m, I, FLATEND_EDENIED, "peer is anonymous, but a key is pinned");
}

static void an_old_responder_where_a_key_is_pinned(void **state)
{
    struct meeting *m = *state;

    be_old(m, R);
    run_pinned(m, key_of(m, R));
    meeting_expect_fault(m, I, FLATEND_EDENIED, OLD_IS_DENIED);
}

/* ---- services ------------------------------------------------------------------------------- */

/* At `side`, only the owner of this key may provide "pipe". */
static void reserve_pipe(struct meeting *m, int side, struct fe_trust_rule *rule,
                         const uint8_t *key)
{
    *rule = (struct fe_trust_rule){.service = FE_VIEW_LIT("pipe"),
                                   .keys = (const uint8_t(*)[FE_KEY_LEN])(const void *)key,
                                   .n_keys = 1};
    meeting_trust(m, side)->rules = rule;
    meeting_trust(m, side)->n_rules = 1;
}

static void a_service_of_the_right_key(void **state)
{
    struct meeting *m = *state;
    struct fe_trust_rule rule;

    reserve_pipe(m, I, &rule, key_of(m, R));
    meeting_run(m);
    meeting_expect_secure(m);
}

static void a_responder_that_may_not_provide_it(void **state)
{
    struct meeting *m = *state;
    struct fe_trust_rule rule;

    reserve_pipe(m, I, &rule, key_of(m, I));
    meeting_run(m);
    meeting_expect_fault(m, I, FLATEND_EDENIED, "this key may not provide the service 'pipe'");
    expect_refused(m, R, "rejected by the peer: this key may not provide the service 'pipe'");
}

static void an_initiator_that_may_not_provide_it(void **state)
{
    struct meeting *m = *state;
    struct fe_view pipe = FE_VIEW_LIT("pipe");
    struct fe_trust_rule rule;

    m->pair.sides[I].self.services = &pipe;
    m->pair.sides[I].self.n_services = 1;
    pair_make_anonymous(&m->pair, I);
    reserve_pipe(m, R, &rule, key_of(m, I));
    meeting_run(m);
    meeting_expect_fault(m, R, FLATEND_EDENIED,
                         "a node without a proven key may not provide the service 'pipe'");
    expect_refused(
        m, I,
        "rejected by the peer: a node without a proven key may not provide the service 'pipe'");
}

/* An old peer's key is signed, and yet nothing binds it to the session. */
static void an_old_peer_that_may_not_provide_it(void **state)
{
    struct meeting *m = *state;
    struct fe_trust_rule rule;

    reserve_pipe(m, I, &rule, key_of(m, R));
    be_old(m, R);
    meeting_run(m);
    meeting_expect_fault(m, I, FLATEND_EDENIED,
                         "a node without a proven key may not provide the service 'pipe'");
}

static void a_service_that_comes_later(void **state)
{
    const struct fe_offer offers[] = {{FE_VIEW_LIT("echo"), 1}, {FE_VIEW_LIT("pipe"), 1}};
    struct meeting *m = *state;
    struct fe_sender *sender = pair_sender(&m->pair, I);
    struct fe_trust_rule rule;

    reserve_pipe(m, R, &rule, key_of(m, R));
    meeting_run(m);
    meeting_expect_secure(m);
    assert_int_equal(sender->ops->services(sender, offers, 1), 0);
    assert_int_equal(pair_carry(&m->pair, I, 0, NULL, NULL, &m->err[R]), 0);
    assert_int_equal(sender->ops->services(sender, offers, 2), 0);
    m->code[R] = pair_carry(&m->pair, I, 0, NULL, NULL, &m->err[R]);
    meeting_expect_fault(m, R, FLATEND_EDENIED, "this key may not provide the service 'pipe'");
    m->code[I] = pair_carry(&m->pair, R, 0, NULL, NULL, &m->err[I]);
    expect_refused(m, I, "rejected by the peer: this key may not provide the service 'pipe'");
}

/* ---- after a refusal ------------------------------------------------------------------------ */

static void a_side_that_has_failed_sends_nothing_more(void **state)
{
    static const uint8_t wiped[FE_AEAD_KEY_LEN];
    const struct fe_view service = FE_VIEW_LIT("echo");
    struct meeting *m = *state;

    allow(m, I, key_of(m, I));
    meeting_run(m);
    for (int side = 0; side < 2; side++) {
        struct fe_sender *sender = pair_sender(&m->pair, side);

        assert_int_equal(m->code[side], FLATEND_EDENIED);
        assert_int_equal(sender->ops->request(sender, 1, &service, 1, NULL, 0), FLATEND_ESTATE);
        assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("x")), FLATEND_ESTATE);
        assert_int_equal(sender->ops->end(sender, 1, NULL, 0), FLATEND_ESTATE);
        assert_int_equal(fe_session_flush(&m->pair.sides[side].session), 0);
        assert_int_equal(m->pair.sides[side].out.len, 0);
        assert_memory_equal(m->pair.sides[side].session.seal_key, wiped, sizeof(wiped));
        assert_memory_equal(m->pair.sides[side].session.open_key, wiped, sizeof(wiped));
    }
}

#define MEETING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEETING(two_secure_peers_are_secure),
        MEETING(an_old_initiator_is_welcome),
        MEETING(an_old_responder_is_welcome),
        MEETING(two_old_peers),
        MEETING(anonymous_peers_are_secure),
        MEETING(two_anonymous_peers_are_secure),
        MEETING(an_old_session_goes_on),
        MEETING(a_node_may_require_secure_responders),
        MEETING(a_node_may_require_secure_initiators),
        MEETING(secure_peers_meet_where_they_are_required),
        MEETING(members_of_one_mesh),
        MEETING(anonymous_members_of_one_mesh),
        MEETING(an_initiator_without_the_secret),
        MEETING(a_responder_without_the_secret),
        MEETING(members_of_different_meshes),
        MEETING(an_old_initiator_at_a_closed_mesh),
        MEETING(an_old_responder_at_a_closed_mesh),
        MEETING(keys_that_are_allowed),
        MEETING(an_initiator_whose_key_is_not_allowed),
        MEETING(a_responder_whose_key_is_not_allowed),
        MEETING(an_anonymous_initiator_where_keys_are_listed),
        MEETING(an_old_initiator_where_keys_are_listed),
        MEETING(the_pinned_key),
        MEETING(another_key_than_the_pinned_one),
        MEETING(an_anonymous_responder_where_a_key_is_pinned),
        MEETING(an_old_responder_where_a_key_is_pinned),
        MEETING(a_service_of_the_right_key),
        MEETING(a_responder_that_may_not_provide_it),
        MEETING(an_initiator_that_may_not_provide_it),
        MEETING(an_old_peer_that_may_not_provide_it),
        MEETING(a_service_that_comes_later),
        MEETING(a_side_that_has_failed_sends_nothing_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
