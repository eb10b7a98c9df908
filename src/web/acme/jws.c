#include "web/acme/jws.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ground/base/assert.h"
#include "web/acme/base64url.h"
#include "web/acme/key.h"

static bool is_url_char(char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>';
}

bool fe_acme_is_url(const char *text)
{
    static const char scheme[] = "https://";
    size_t len = 0;

    while (text[len] != '\0') {
        if (len == FE_ACME_URL_MAX || !is_url_char(text[len])) {
            return false;
        }
        len++;
    }
    return len > sizeof(scheme) - 1 && memcmp(text, scheme, sizeof(scheme) - 1) == 0;
}

/* What is signed: "protected.payload", both in base64url (RFC 7515 §5.1). */
static int put_input(struct fe_buf *input, const struct fe_buf *header, struct fe_view payload)
{
    int code = fe_base64url_append(input, fe_buf_view(header));

    if (code == 0) {
        code = fe_buf_append(input, ".", 1);
    }
    return code != 0 ? code : fe_base64url_append(input, payload);
}

static int put_object(struct fe_buf *out, const struct fe_buf *input, struct fe_view signature)
{
    const uint8_t *dot = memchr(input->data, '.', input->len);
    int n_header;
    int n_payload;
    int code;

    FE_ASSERT(dot != NULL, "what is signed has two parts");
    FE_ASSERT(input->len <= FE_ACME_JWS_MAX, "lengths fit printf's int");
    n_header = (int)(dot - input->data);
    n_payload = (int)(input->len - (size_t)n_header - 1);
    code = fe_buf_printf(out, "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"",
                         n_header, (const char *)input->data, n_payload, (const char *)dot + 1);
    if (code == 0) {
        code = fe_base64url_append(out, signature);
    }
    return code != 0 ? code : fe_buf_append(out, "\"}", 2);
}

static int put_header(const struct fe_acme_jws *jws, struct fe_buf *header)
{
    char jwk[FE_ACME_JWK_MAX];
    int code;

    if (jws->kid != NULL) {
        return fe_buf_printf(header,
                             "{\"alg\":\"ES256\",\"kid\":\"%s\",\"nonce\":\"%s\",\"url\":\"%s\"}",
                             jws->kid, jws->nonce, jws->url);
    }
    code = fe_acme_key_jwk(jws->key, jwk);
    return code != 0
               ? code
               : fe_buf_printf(header,
                               "{\"alg\":\"ES256\",\"jwk\":%s,\"nonce\":\"%s\",\"url\":\"%s\"}",
                               jwk, jws->nonce, jws->url);
}

int fe_acme_jws_encode(const struct fe_acme_jws *jws, struct fe_buf *out)
{
    uint8_t signature[FE_ACME_SIGNATURE_LEN];
    struct fe_buf header;
    struct fe_buf input;
    int code;

    FE_ASSERT(jws->nonce[0] != '\0' && jws->url[0] != '\0', "what is signed is for one request");
    fe_buf_init(&header, FE_ACME_JWS_MAX);
    fe_buf_init(&input, FE_ACME_JWS_MAX);
    code = put_header(jws, &header);
    if (code == 0) {
        code = put_input(&input, &header, jws->payload);
    }
    if (code == 0) {
        code = fe_acme_key_sign(jws->key, fe_buf_view(&input), signature);
    }
    if (code == 0) {
        code = put_object(out, &input, fe_view_of(signature, sizeof(signature)));
    }
    fe_buf_deinit(&header);
    fe_buf_deinit(&input);
    return code;
}

int fe_acme_eab_encode(const struct evp_pkey_st *account, const char *key_id,
                       struct fe_view hmac_key, const char *url, struct fe_buf *out)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned n_mac = 0;
    char jwk[FE_ACME_JWK_MAX];
    struct fe_buf header;
    struct fe_buf input;
    int code = fe_acme_key_jwk(account, jwk);

    FE_ASSERT(hmac_key.len <= FE_ACME_EAB_KEY_MAX, "a length fits OpenSSL's int");
    fe_buf_init(&header, FE_ACME_JWS_MAX);
    fe_buf_init(&input, FE_ACME_JWS_MAX);
    if (code == 0) {
        code = fe_buf_printf(&header, "{\"alg\":\"HS256\",\"kid\":\"%s\",\"url\":\"%s\"}", key_id,
                             url);
    }
    if (code == 0) {
        code = put_input(&input, &header, fe_view_str(jwk));
    }
    if (code == 0 && HMAC(EVP_sha256(), hmac_key.ptr, (int)hmac_key.len, input.data, input.len, mac,
                          &n_mac) == NULL) {
        code = FLATEND_ENOMEM;
    }
    if (code == 0) {
        code = put_object(out, &input, fe_view_of(mac, n_mac));
    }
    fe_buf_deinit(&header);
    fe_buf_deinit(&input);
    return code;
}
