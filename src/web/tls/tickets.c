#include "web/tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "ground/base/assert.h"
#include "ground/os/thread.h"
#include "web/tls/context.h"

enum { NAME_LEN = 16, CIPHER_KEY_LEN = 32, MAC_KEY_LEN = 32 };

struct ticket_key {
    unsigned char name[NAME_LEN];
    unsigned char cipher[CIPHER_KEY_LEN];
    unsigned char mac[MAC_KEY_LEN];
};

struct fe_tls_tickets {
    struct fe_rwlock lock; /* of the keys: shared while one is used, so that none is copied */
    struct ticket_key keys[FE_TLS_TICKETS_KEPT]; /* newest first */
    size_t n_keys;
    EVP_CIPHER *cipher; /* looked up once: OpenSSL 3 takes long to find one */
};

int fe_tls_tickets_rotate(struct fe_tls_tickets *tickets)
{
    struct ticket_key key;

    if (RAND_bytes(key.name, NAME_LEN) != 1 || RAND_priv_bytes(key.cipher, CIPHER_KEY_LEN) != 1 ||
        RAND_priv_bytes(key.mac, MAC_KEY_LEN) != 1) {
        ERR_clear_error();
        return FLATEND_EIO;
    }
    fe_rwlock_lock(&tickets->lock);
    memmove(&tickets->keys[1], &tickets->keys[0],
            (FE_TLS_TICKETS_KEPT - 1) * sizeof(tickets->keys[0]));
    tickets->keys[0] = key;
    if (tickets->n_keys < FE_TLS_TICKETS_KEPT) {
        tickets->n_keys++;
    }
    FE_ASSERT(tickets->n_keys > 0 && tickets->n_keys <= FE_TLS_TICKETS_KEPT,
              "old keys have a limit");
    fe_rwlock_unlock(&tickets->lock);
    OPENSSL_cleanse(&key, sizeof(key));
    return 0;
}

int fe_tls_tickets_new(struct fe_tls_tickets **tickets)
{
    struct fe_tls_tickets *made = calloc(1, sizeof(*made));
    int code;

    *tickets = NULL;
    if (made == NULL) {
        return FLATEND_ENOMEM;
    }
    if (fe_rwlock_init(&made->lock) != 0) {
        free(made);
        return FLATEND_ENOMEM;
    }
    made->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    code = made->cipher != NULL ? fe_tls_tickets_rotate(made) : FLATEND_ENOMEM;
    if (code != 0) {
        ERR_clear_error();
        fe_tls_tickets_free(made);
        return code;
    }
    *tickets = made;
    return 0;
}

void fe_tls_tickets_free(struct fe_tls_tickets *tickets)
{
    if (tickets == NULL) {
        return;
    }
    EVP_CIPHER_free(tickets->cipher);
    OPENSSL_cleanse(tickets->keys, sizeof(tickets->keys));
    fe_rwlock_deinit(&tickets->lock);
    free(tickets);
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, MAC_KEY_LEN),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(struct fe_tls_tickets *tickets, unsigned char *name, unsigned char *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key *const key = &tickets->keys[0];

    FE_ASSERT(tickets->n_keys > 0, "there is a key from the beginning");
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets->cipher)) != 1 ||
        EVP_EncryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) != 1 ||
        !set_mac(mac, key)) {
        return -1;
    }
    memcpy(name, key->name, NAME_LEN);
    return 1;
}

static int open_ticket(struct fe_tls_tickets *tickets, const unsigned char *name,
                       const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    enum { NONE = 0, GOOD = 1, GOOD_BUT_OLD = 2 };

    for (size_t i = 0; i < tickets->n_keys; i++) {
        struct ticket_key *const key = &tickets->keys[i];

        if (memcmp(name, key->name, NAME_LEN) != 0) {
            continue;
        }
        if (!set_mac(mac, key) ||
            EVP_DecryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) != 1) {
            return -1;
        }
        return i == 0 ? GOOD : GOOD_BUT_OLD;
    }
    return NONE;
}

int fe_tls_tickets_crypt(struct fe_tls_tickets *tickets, unsigned char *name, unsigned char *iv,
                         EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool is_seal)
{
    int verdict;

    fe_rwlock_lock_shared(&tickets->lock);
    verdict = is_seal ? seal(tickets, name, iv, cipher, mac)
                      : open_ticket(tickets, name, iv, cipher, mac);
    fe_rwlock_unlock(&tickets->lock);
    return verdict;
}
