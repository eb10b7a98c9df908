/* Which certificates an ACME client has served: its own, that of the rest of its names, or what is
 * stored for other lists of names and by other servers. */
#include <stdlib.h>

#include "gateway/certs/acme_client_internal.h"
#include "ground/base/assert.h"
#include "ground/base/utc.h"

/* ---- which certificate -------------------------------------------------------------- */

static bool is_valid_now(const struct fe_cert *cert)
{
    const int64_t now_s = (int64_t)(fe_acme_client_now() / 1000);

    return fe_cert_not_before(cert) <= now_s && now_s < fe_cert_not_after(cert);
}

static bool is_good(const struct fe_cert *cert, const char *name, bool must_be_valid)
{
    return cert != NULL && fe_cert_covers(cert, fe_view_str(name)) &&
           (!must_be_valid || is_valid_now(cert));
}

/* The newest list's first. NULL: there is none. */
static struct fe_cert *find(struct fe_acme_client *client, const char *name, bool must_be_valid)
{
    for (struct fe_acme_client *at = client; at != NULL; at = at->rest) {
        if (is_good(at->cert, name, must_be_valid)) {
            return at->cert;
        }
    }
    for (size_t i = 0; i < client->n_found; i++) {
        if (is_good(client->found[i], name, must_be_valid)) {
            return client->found[i];
        }
    }
    return NULL;
}

/* The client of all the listener's names. */
static struct fe_acme_client *first_of(struct fe_acme_client *client)
{
    FE_LIST_FOREACH (link, tmp, &client->manager->clients) {
        struct fe_acme_client *const other = FE_CONTAINER_OF(link, struct fe_acme_client, link);

        if (other->https == client->https) {
            return other;
        }
    }
    return client;
}

/* For each name the certificate that is good for it now, whatever list it was ordered with; one
 * that has ended is still better than one that nobody has signed. */
int fe_acme_client_serve(struct fe_acme_client *any)
{
    struct fe_acme_client *const client = first_of(any);
    struct fe_cert *certs[FE_ACME_NAMES_MAX];
    size_t n = 0;

    for (size_t i = 0; i < client->n_names; i++) {
        struct fe_cert *cert = find(client, client->names[i], true);
        size_t k = 0;

        if (cert == NULL) {
            cert = find(client, client->names[i], false);
        }
        while (k < n && certs[k] != cert) {
            k++;
        }
        if (k == n && cert != NULL) {
            certs[n++] = cert;
        }
    }
    return fe_https_set_certs(client->https, certs, n, (int64_t)(fe_acme_client_now() / 1000));
}

void fe_acme_client_warn(const struct fe_acme_client *client, const char *reason)
{
    fe_log(client->manager->log, FLATEND_LOG_WARN, "Cannot use the stored certificate: %s.",
           reason);
}

void fe_acme_client_serve_stored(struct fe_acme_client *client,
                                 const struct fe_acme_cert_info *info)
{
    struct flatend_error err = {0};
    struct fe_cert *cert = NULL;
    int code = fe_acme_store_load(client->store, &cert, &err);

    if (code == 0) {
        fe_cert_unref(client->cert);
        client->cert = cert;
        client->served = *info;
        code = fe_err_code(&err, fe_acme_client_serve(client));
    }
    if (code != 0 && code != FLATEND_ENOENT) {
        fe_acme_client_warn(client, err.text);
    }
}

static void tell_found(const struct fe_acme_client *client, const struct fe_cert *cert)
{
    char until[FE_UTC_TEXT_MAX];

    for (size_t i = 0; i < client->n_names; i++) {
        if (is_good(cert, client->names[i], true)) {
            fe_log(client->manager->log, FLATEND_LOG_INFO,
                   "Serving the certificate that is stored for '%s', valid until %s UTC, until a "
                   "new one comes.",
                   client->names[i], fe_utc_format(fe_cert_not_after(cert), until));
            return;
        }
    }
}

void fe_acme_client_forget_found(struct fe_acme_client *client)
{
    for (size_t i = 0; i < client->n_found; i++) {
        fe_cert_unref(client->found[i]);
    }
    free(client->found);
    client->found = NULL;
    client->n_found = 0;
}

/* Changed names, or another server: what is stored for others may be good for some of them. */
int fe_acme_client_find_stored(struct fe_acme_client *any)
{
    struct fe_acme_client *const client = first_of(any);
    struct fe_cert **const found = calloc(client->n_names, sizeof(struct fe_cert *));
    size_t n = 0;

    if (found == NULL) {
        return FLATEND_ENOMEM;
    }
    if (fe_acme_store_find(client->manager->config->state_dir, client->names, client->n_names,
                           (int64_t)(fe_acme_client_now() / 1000), found, &n) != 0) {
        free(found);
        return FLATEND_ENOMEM;
    }
    fe_acme_client_forget_found(client);
    client->found = found;
    client->n_found = n;
    return fe_acme_client_serve(client);
}

void fe_acme_client_tell_served(const struct fe_acme_client *client)
{
    for (size_t i = 0; client->cert == NULL && i < client->n_found; i++) {
        tell_found(client, client->found[i]);
    }
    for (size_t i = 0; i < client->n_names; i++) {
        if (!fe_https_is_given(client->https, fe_view_str(client->names[i]))) {
            fe_log(client->manager->log, FLATEND_LOG_WARN,
                   "No certificate for '%s' yet: serving a self-signed one, which browsers reject.",
                   client->names[i]);
            return;
        }
    }
}
