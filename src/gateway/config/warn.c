/* What is valid today and will be a problem. */
#include <stdlib.h>
#include <string.h>

#include "gateway/config/config.h"
#include "ground/base/utc.h"
#include "ground/os/user.h"

#define DAY_S INT64_C(86400)

enum {
    SOON_DAYS = 7,
    UP_TO_MINUTE = 16, /* characters of "2026-11-30 21:05:09" */
};

static void warn_dates(const struct fe_config_cert *cert, const char *path, int64_t now_s,
                       const struct fe_log *log)
{
    const int64_t begin = fe_cert_not_before(cert->cert);
    const int64_t end = fe_cert_not_after(cert->cert);
    const char *what = NULL;
    char text[FE_UTC_TEXT_MAX];

    if (end <= now_s) {
        what = "expired on";
    } else if (end <= now_s + SOON_DAYS * DAY_S) {
        what = "expires on";
    } else if (begin > now_s) {
        what = "is not valid before";
    }
    if (what != NULL) {
        fe_log(log, FLATEND_LOG_WARN, "%s:%u:%u: the certificate '%s' %s %.*s UTC.", path,
               cert->pos.line, cert->pos.column, cert->chain_path, what, UP_TO_MINUTE,
               fe_utc_format(begin > now_s ? begin : end, text));
    }
}

static void warn_names(const struct fe_config_http *http, const char *path,
                       const struct fe_log *log)
{
    for (size_t i = 0; i < http->n_domains; i++) {
        size_t k = 0;

        while (k < http->n_certs && !fe_cert_covers(http->certs[k].cert, http->domains[i])) {
            k++;
        }
        if (k == http->n_certs && k > 0) {
            fe_log(log, FLATEND_LOG_WARN, "%s:%u:%u: no certificate is valid for '%.*s'.", path,
                   http->certs[0].pos.line, http->certs[0].pos.column, (int)http->domains[i].len,
                   (const char *)http->domains[i].ptr);
        }
    }
}

void fe_config_warn(const struct fe_config *config, const char *path, int64_t now_s,
                    const struct fe_log *log)
{
    for (size_t i = 0; i < config->n_http; i++) {
        const struct fe_config_http *const http = &config->http[i];

        for (size_t k = 0; k < http->n_certs; k++) {
            const struct fe_config_cert *const cert = &http->certs[k];

            warn_dates(cert, path, now_s, log);
            if (fe_cert_is_key_exposed(cert->cert)) {
                fe_log(log, FLATEND_LOG_WARN,
                       "%s:%u:%u: other users can read the key '%s': run chmod 600 on it.", path,
                       cert->pos.line, cert->pos.column, cert->key_path);
            }
        }
        warn_names(http, path, log);
    }
}

/* ---- where state is kept -------------------------------------------------------------------- */

static const char *join(struct fe_arena *arena, const char *dir, const char *rest)
{
    const size_t dir_len = strlen(dir);
    const size_t rest_len = strlen(rest);
    char *path = fe_arena_alloc(arena, dir_len + rest_len + 1);

    if (path != NULL) {
        memcpy(path, dir, dir_len);
        memcpy(path + dir_len, rest, rest_len + 1);
    }
    return path;
}

/* The XDG Base Directory Specification: a path that is not absolute is ignored. */
const char *fe_state_dir_default(struct fe_arena *arena)
{
    const char *const xdg = getenv("XDG_STATE_HOME");
    const char *const home = getenv("HOME");

    if (xdg != NULL && xdg[0] == '/') {
        return join(arena, xdg, "/flatend");
    }
    if (fe_user_is_root() || home == NULL || home[0] != '/') {
        return join(arena, "/var/lib", "/flatend");
    }
    return join(arena, home, "/.local/state/flatend");
}
