/* A certificate with its chain and its key: immutable, counted by reference. Any thread.
 *
 * Errors are one line that says what is wrong with which part; with OpenSSL's reason where it has
 * one that helps. */
#ifndef FE_WEB_TLS_CERT_H
#define FE_WEB_TLS_CERT_H

#include "ground/base/err.h"
#include "ground/base/view.h"

enum {
    FE_CERT_PEM_MAX = 256 * 1024, /* of a file: a chain has a few kilobytes */
    FE_CERT_CHAIN_MAX = 10,       /* certificates of a chain, its first included */
    FE_CERT_SECURITY_BITS = 112,  /* the weakest key: RSA with 2048 bits */
    FE_NAME_MAX = 253,            /* characters of a domain name: RFC 1035 §2.3.4 */
};

struct fe_cert;

/* Which of the two an error is about. */
enum fe_cert_part {
    FE_CERT_PART_CHAIN,
    FE_CERT_PART_KEY,
};

/* From PEM: the certificate first, then those that signed it. FLATEND_ESYNTAX (not PEM, none in
 * there), FLATEND_EKEY (encrypted, too weak, of another certificate), FLATEND_ELIMIT,
 * FLATEND_ENOMEM. `part` (may be NULL) says what the error is about. */
int fe_cert_parse(struct fe_view chain_pem, struct fe_view key_pem, struct fe_cert **cert,
                  enum fe_cert_part *part, struct flatend_error *err) FE_MUST_USE;

/* From two files; both may be the same. The errors of fe_cert_parse and fe_file_read. */
int fe_cert_load(const char *chain_path, const char *key_path, struct fe_cert **cert,
                 enum fe_cert_part *part, struct flatend_error *err) FE_MUST_USE;

/* For when none is available yet: no client trusts it, but the connection is encrypted. Names may
 * be addresses. Valid for 90 days. FLATEND_ENOMEM. */
int fe_cert_self_signed(const struct fe_view *names, size_t n_names, int64_t now_s,
                        struct fe_cert **cert) FE_MUST_USE;

struct fe_cert *fe_cert_ref(struct fe_cert *cert);
void fe_cert_unref(struct fe_cert *cert); /* NULL is allowed */

/* Seconds since 1970. */
int64_t fe_cert_not_before(const struct fe_cert *cert);
int64_t fe_cert_not_after(const struct fe_cert *cert);

/* Could others than the key file's owner and group read it? */
bool fe_cert_is_key_exposed(const struct fe_cert *cert);

/* Is it valid for the name, which may be an address (RFC 6125 §6.4: a wildcard stands for one
 * label)? */
bool fe_cert_covers(const struct fe_cert *cert, struct fe_view name);

/* The same by name alone; `exact`: without wildcards. */
bool fe_cert_has_name(const struct fe_cert *cert, struct fe_view name, bool exact);

/* An IPv4 or IPv6 address, as text and without port? */
bool fe_name_is_address(struct fe_view name);

/* Letters, digits, hyphens and dots as a host's name has them (RFC 1123 §2.1); `wildcard`: may
 * begin with "*.". */
bool fe_name_is_valid(struct fe_view name, bool wildcard);

#endif
