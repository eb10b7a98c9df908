#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/base/wipe.h"
#include "mesh/crypto/crypto.h"
#include "support/vectors.h"

static void load(struct vector *vector, const char *name)
{
    vector_load(vector, "crypto.txt", name);
}

static void expect_equal(const uint8_t *bytes, size_t len, const char *name)
{
    struct vector expected;

    load(&expected, name);
    assert_int_equal(len, expected.len);
    assert_memory_equal(bytes, expected.bytes, len);
}

static void hash_is_blake2b_256(void **state)
{
    struct vector input;
    uint8_t digest[FE_HASH_LEN];

    (void)state;
    fe_hash((struct fe_view){0}, digest);
    expect_equal(digest, sizeof(digest), "hash_empty");
    fe_hash(FE_VIEW_LIT("abc"), digest);
    expect_equal(digest, sizeof(digest), "hash_abc");
    load(&input, "hash_200_input");
    fe_hash(vector_view(&input), digest);
    expect_equal(digest, sizeof(digest), "hash_200");
}

/* However the input is cut, with a key and without, even over its own input. */
static void hash_of_parts(void **state)
{
    struct vector input, key;
    uint8_t digest[FE_HASH_LEN];

    (void)state;
    load(&input, "hash_200_input");
    load(&key, "session_key");
    for (size_t cut = 0; cut <= input.len; cut++) {
        const struct fe_view parts[] = {fe_view_of(input.bytes, cut),
                                        fe_view_skip(vector_view(&input), cut)};

        fe_hash_parts(NULL, parts, 2, digest);
        expect_equal(digest, sizeof(digest), "hash_200");
        fe_hash_parts(key.bytes, parts, 2, digest);
        expect_equal(digest, sizeof(digest), "hash_200_keyed");
    }
    memcpy(digest, key.bytes, sizeof(digest));
    fe_hash_parts(digest, &(struct fe_view){input.bytes, input.len}, 1, digest);
    expect_equal(digest, sizeof(digest), "hash_200_keyed");
}

static void fill_from_vector(void *arg, void *buf, size_t len)
{
    const struct vector *vector = arg;

    assert_true(len <= vector->len);
    memcpy(buf, vector->bytes, len);
}

static void both_sides_agree_on_a_key(void **state)
{
    struct vector initiator, responder;
    const struct fe_rng rng = {fill_from_vector, &initiator};
    uint8_t secret[FE_X25519_LEN], public_key[FE_X25519_LEN], shared[FE_X25519_LEN];
    uint8_t key[FE_HASH_LEN];

    (void)state;
    load(&initiator, "initiator_secret");
    fe_x25519_keypair(&rng, secret, public_key);
    expect_equal(secret, sizeof(secret), "initiator_secret");
    expect_equal(public_key, sizeof(public_key), "initiator_public");
    load(&responder, "responder_public");
    assert_int_equal(fe_x25519(secret, responder.bytes, shared), 0);
    expect_equal(shared, sizeof(shared), "shared_secret");

    load(&responder, "responder_secret");
    memset(shared, 0, sizeof(shared));
    assert_int_equal(fe_x25519(responder.bytes, public_key, shared), 0);
    fe_hash(fe_view_of(shared, sizeof(shared)), key);
    expect_equal(key, sizeof(key), "session_key");
}

static void points_of_small_order_are_refused(void **state)
{
    static const uint8_t zero[FE_X25519_LEN];
    static const uint8_t one[FE_X25519_LEN] = {1};
    struct vector secret;
    uint8_t shared[FE_X25519_LEN];

    (void)state;
    load(&secret, "initiator_secret");
    assert_int_equal(fe_x25519(secret.bytes, zero, shared), FLATEND_EKEY);
    assert_int_equal(fe_x25519(secret.bytes, one, shared), FLATEND_EKEY);
}

static void signatures_are_ed25519(void **state)
{
    struct flatend_secret_key key;
    struct vector secret, message;
    uint8_t signature[64];

    (void)state;
    load(&secret, "ed25519_secret");
    load(&message, "ed25519_message");
    memcpy(key.bytes, secret.bytes, sizeof(key.bytes));
    fe_ed25519_sign(&key, vector_view(&message), signature);
    expect_equal(signature, sizeof(signature), "ed25519_signature");
    assert_int_equal(fe_ed25519_verify(fe_ed25519_public(&key), vector_view(&message), signature),
                     0);
    message.bytes[0] ^= 1;
    assert_int_equal(fe_ed25519_verify(fe_ed25519_public(&key), vector_view(&message), signature),
                     FLATEND_ESIGNATURE);
}

static void a_pair_is_its_seed_and_its_public_key(void **state)
{
    struct flatend_secret_key key;
    struct vector secret;
    const struct fe_rng rng = {fill_from_vector, &secret};

    (void)state;
    load(&secret, "ed25519_secret");
    fe_ed25519_keypair(&rng, &key);
    expect_equal(key.bytes, sizeof(key.bytes), "ed25519_secret");
    assert_int_equal(fe_ed25519_check(&key), 0);
    key.bytes[63] ^= 1;
    assert_int_equal(fe_ed25519_check(&key), FLATEND_EKEY);
}

struct seal {
    struct fe_aead *aead;
    struct vector plaintext;
    uint8_t nonce[FE_AEAD_NONCE_LEN];
};

static void seal_init(struct seal *seal, bool is_seal)
{
    struct vector key;

    load(&key, "session_key");
    load(&seal->plaintext, "plaintext");
    memset(seal->nonce, 0, sizeof(seal->nonce));
    seal->aead = fe_aead_new(key.bytes, is_seal);
    assert_non_null(seal->aead);
}

static void parts_are_sealed_as_one(void **state)
{
    struct seal s;
    uint8_t out[VECTOR_MAX];

    (void)state;
    seal_init(&s, true);
    for (size_t cut = 0; cut <= s.plaintext.len; cut++) {
        const struct fe_view parts[] = {fe_view_of(s.plaintext.bytes, cut),
                                        fe_view_skip(vector_view(&s.plaintext), cut)};

        assert_int_equal(fe_aead_seal(s.aead, s.nonce, (struct fe_view){0}, parts, 2, out), 0);
        expect_equal(out, s.plaintext.len + FE_AEAD_TAG_LEN, "sealed_0");
    }
    fe_aead_free(s.aead);
}

static void each_nonce_seals_differently(void **state)
{
    struct seal s;
    struct fe_view part;

    (void)state;
    seal_init(&s, true);
    part = vector_view(&s.plaintext);
    s.nonce[7] = 1;
    assert_int_equal(
        fe_aead_seal(s.aead, s.nonce, (struct fe_view){0}, &part, 1, s.plaintext.bytes), 0);
    expect_equal(s.plaintext.bytes, part.len + FE_AEAD_TAG_LEN, "sealed_1");
    s.nonce[6] = 1;
    s.nonce[7] = 2;
    assert_int_equal(fe_aead_seal(s.aead, s.nonce, (struct fe_view){0}, NULL, 0, s.plaintext.bytes),
                     0);
    expect_equal(s.plaintext.bytes, FE_AEAD_TAG_LEN, "sealed_empty_258");
    fe_aead_free(s.aead);
}

static void what_was_sealed_opens_in_place(void **state)
{
    struct seal s;
    struct vector sealed;

    (void)state;
    seal_init(&s, false);
    load(&sealed, "sealed_0");
    assert_int_equal(fe_aead_open(s.aead, s.nonce, (struct fe_view){0}, sealed.bytes, sealed.len),
                     0);
    expect_equal(sealed.bytes, sealed.len - FE_AEAD_TAG_LEN, "plaintext");
    load(&sealed, "sealed_empty_258");
    s.nonce[6] = 1;
    s.nonce[7] = 2;
    assert_int_equal(fe_aead_open(s.aead, s.nonce, (struct fe_view){0}, sealed.bytes, sealed.len),
                     0);
    fe_aead_free(s.aead);
}

/* After a failure the context opens the next one as if nothing had been. */
static void what_was_changed_does_not_open(void **state)
{
    struct seal s;
    struct vector sealed;
    size_t len;

    (void)state;
    seal_init(&s, false);
    load(&sealed, "sealed_0");
    len = sealed.len;
    for (size_t at = 0; at < len; at++) {
        load(&sealed, "sealed_0");
        sealed.bytes[at] ^= 1;
        assert_int_equal(fe_aead_open(s.aead, s.nonce, (struct fe_view){0}, sealed.bytes, len),
                         FLATEND_EDECRYPT);
    }
    for (size_t cut = 0; cut < len; cut++) {
        load(&sealed, "sealed_0");
        assert_int_equal(fe_aead_open(s.aead, s.nonce, (struct fe_view){0}, sealed.bytes, cut),
                         FLATEND_EDECRYPT);
    }
    load(&sealed, "sealed_0");
    assert_int_equal(fe_aead_open(s.aead, s.nonce, (struct fe_view){0}, sealed.bytes, len), 0);
    fe_aead_free(s.aead);
}

static void nothing_can_be_freed(void **state)
{
    (void)state;
    fe_aead_free(NULL);
}

static void associated_data_is_authenticated(void **state)
{
    static const uint8_t length[] = {0, 0, 0, 116}, other[] = {0, 0, 0, 117};
    const struct fe_view ad = fe_view_of(length, sizeof(length));
    struct fe_view part;
    struct vector sealed;
    struct seal s;
    uint8_t out[VECTOR_MAX];

    (void)state;
    seal_init(&s, true);
    part = vector_view(&s.plaintext);
    assert_int_equal(fe_aead_seal(s.aead, s.nonce, ad, &part, 1, out), 0);
    expect_equal(out, s.plaintext.len + FE_AEAD_TAG_LEN, "sealed_0_ad");
    fe_aead_free(s.aead);

    seal_init(&s, false);
    load(&sealed, "sealed_0_ad");
    assert_int_equal(
        fe_aead_open(s.aead, s.nonce, fe_view_of(other, sizeof(other)), sealed.bytes, sealed.len),
        FLATEND_EDECRYPT);
    load(&sealed, "sealed_0_ad");
    assert_int_equal(fe_aead_open(s.aead, s.nonce, (struct fe_view){0}, sealed.bytes, sealed.len),
                     FLATEND_EDECRYPT);
    load(&sealed, "sealed_0_ad");
    assert_int_equal(fe_aead_open(s.aead, s.nonce, ad, sealed.bytes, sealed.len), 0);
    assert_memory_equal(sealed.bytes, s.plaintext.bytes, s.plaintext.len);
    fe_aead_free(s.aead);
}

/* As if the context had been made with it. */
static void a_context_takes_another_key(void **state)
{
    static const uint8_t zero[FE_AEAD_KEY_LEN];
    struct vector key, sealed;
    struct fe_view part;
    struct seal s;
    uint8_t out[VECTOR_MAX];

    (void)state;
    load(&key, "session_key");
    seal_init(&s, true);
    part = vector_view(&s.plaintext);
    assert_int_equal(fe_aead_rekey(s.aead, zero), 0);
    assert_int_equal(fe_aead_seal(s.aead, s.nonce, (struct fe_view){0}, &part, 1, out), 0);
    load(&sealed, "sealed_0");
    assert_memory_not_equal(out, sealed.bytes, sealed.len);
    assert_int_equal(fe_aead_rekey(s.aead, key.bytes), 0);
    assert_int_equal(fe_aead_seal(s.aead, s.nonce, (struct fe_view){0}, &part, 1, out), 0);
    expect_equal(out, sealed.len, "sealed_0");
    fe_aead_free(s.aead);

    seal_init(&s, false);
    assert_int_equal(fe_aead_rekey(s.aead, zero), 0);
    assert_int_equal(fe_aead_rekey(s.aead, key.bytes), 0);
    assert_int_equal(fe_aead_open(s.aead, s.nonce, (struct fe_view){0}, sealed.bytes, sealed.len),
                     0);
    fe_aead_free(s.aead);
}

static void the_system_is_random(void **state)
{
    struct fe_rng rng = fe_rng_system();
    uint8_t a[32] = {0}, b[32] = {0};

    (void)state;
    fe_rng_fill(&rng, a, sizeof(a));
    fe_rng_fill(&rng, b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    fe_wipe(a, sizeof(a));
    memset(b, 0, sizeof(b));
    assert_memory_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_blake2b_256),
        cmocka_unit_test(hash_of_parts),
        cmocka_unit_test(both_sides_agree_on_a_key),
        cmocka_unit_test(points_of_small_order_are_refused),
        cmocka_unit_test(signatures_are_ed25519),
        cmocka_unit_test(a_pair_is_its_seed_and_its_public_key),
        cmocka_unit_test(parts_are_sealed_as_one),
        cmocka_unit_test(each_nonce_seals_differently),
        cmocka_unit_test(what_was_sealed_opens_in_place),
        cmocka_unit_test(what_was_changed_does_not_open),
        cmocka_unit_test(nothing_can_be_freed),
        cmocka_unit_test(the_system_is_random),
        cmocka_unit_test(associated_data_is_authenticated),
        cmocka_unit_test(a_context_takes_another_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
