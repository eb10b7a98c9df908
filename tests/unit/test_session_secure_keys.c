/* The key schedule of the secure session, each step beside its vector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mesh/session/secure_keys.h"
#include "support/vectors.h"

struct schedule {
    const char *prefix;
    struct fe_secure_transcript transcript;
};

static void load(const struct schedule *s, struct vector *vector, const char *name)
{
    char full[64];

    snprintf(full, sizeof(full), "%s%s", s->prefix, name);
    vector_load(vector, "secure_keys.txt", full);
}

static void expect(const struct schedule *s, const uint8_t bytes[32], const char *name)
{
    struct vector expected;

    load(s, &expected, name);
    assert_int_equal(expected.len, 32);
    assert_memory_equal(bytes, expected.bytes, 32);
}

static void check(const char *prefix, const uint8_t *secret)
{
    struct schedule s = {.prefix = prefix};
    struct fe_secure_transcript *transcript = &s.transcript;
    struct vector dh, initiator, responder, message, signature;
    uint8_t key[32], i2r[32], r2i[32];

    load(&s, &dh, "dh");
    vector_load(&initiator, "secure_session.txt", "initiator_key");
    vector_load(&responder, "secure_session.txt", "responder_key");
    fe_secure_transcript_init(transcript, dh.bytes, initiator.bytes, responder.bytes);
    expect(&s, transcript->th, "th0");
    fe_secure_handshake_key(transcript, secret, key);
    expect(&s, key, "hello_key");
    fe_secure_refuse_key(transcript, key);
    expect(&s, key, "refuse_key");

    load(&s, &message, "m_i");
    fe_secure_transcript_add(transcript, vector_view(&message));
    expect(&s, transcript->th, "th1");
    load(&s, &signature, "sig_i");
    fe_secure_transcript_add_signature(transcript, vector_view(&signature));
    expect(&s, transcript->th, "th2");
    fe_secure_traffic_keys(transcript, secret, i2r, r2i);
    expect(&s, i2r, "k_i2r");
    expect(&s, r2i, "k_r2i");

    load(&s, &message, "m_r");
    fe_secure_transcript_add(transcript, vector_view(&message));
    expect(&s, transcript->th, "th3");
    expect(&s, transcript->th0, "th0"); /* which a refusal needs to the end */
    fe_secure_next_key(i2r);
    expect(&s, i2r, "k_i2r_next");
    fe_secure_next_key(r2i);
    expect(&s, r2i, "k_r2i_next");
}

static void two_identified_nodes(void **state)
{
    (void)state;
    check("open_", NULL);
}

static void an_anonymous_one_with_a_mesh_secret(void **state)
{
    struct vector secret;

    (void)state;
    vector_load(&secret, "secure_keys.txt", "mesh_secret");
    check("secret_", secret.bytes);
}

static void without_a_secret_the_handshake_key_is_that_of_old_peers(void **state)
{
    struct vector old, key;

    (void)state;
    vector_load(&old, "crypto.txt", "session_key");
    vector_load(&key, "secure_keys.txt", "open_hello_key");
    assert_memory_equal(old.bytes, key.bytes, 32);
    vector_load(&key, "secure_keys.txt", "secret_hello_key");
    assert_memory_not_equal(old.bytes, key.bytes, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_identified_nodes),
        cmocka_unit_test(an_anonymous_one_with_a_mesh_secret),
        cmocka_unit_test(without_a_secret_the_handshake_key_is_that_of_old_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
