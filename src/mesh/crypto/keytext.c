/* Public keys as text. */
#include <sodium.h>

#include "mesh/crypto/crypto.h"

void flatend_secret_key_public(const struct flatend_secret_key *key,
                               struct flatend_public_key *public_key)
{
    if (key == NULL || public_key == NULL) {
        return;
    }
    memcpy(public_key->bytes, fe_ed25519_public(key), sizeof(public_key->bytes));
}

void flatend_public_key_format(const struct flatend_public_key *key,
                               char text[FLATEND_PUBLIC_KEY_TEXT])
{
    if (key == NULL || text == NULL) {
        return;
    }
    sodium_bin2hex(text, FLATEND_PUBLIC_KEY_TEXT, key->bytes, sizeof(key->bytes));
}

int flatend_public_key_parse(struct flatend_public_key *key, const char *text)
{
    size_t len;
    size_t n;

    if (key == NULL || text == NULL) {
        return FLATEND_EINVAL;
    }
    len = strlen(text);
    if (len != FLATEND_PUBLIC_KEY_TEXT - 1 ||
        sodium_hex2bin(key->bytes, sizeof(key->bytes), text, len, NULL, &n, NULL) != 0 ||
        n != sizeof(key->bytes)) {
        return FLATEND_EKEY;
    }
    return 0;
}
