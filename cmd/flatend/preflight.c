/* What the configuration does not say, and what would still go wrong at start. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "command.h"
#include "gateway/files/files.h"
#include "ground/base/wipe.h"
#include "ground/uv/conn.h"

enum { PLACE_MAX = 512 };

/* "config.toml:3:8", or only the file, for what stands on the command line or nowhere. */
static const char *place_of(const char *path, struct fe_toml_pos pos, char place[PLACE_MAX])
{
    if (pos.line == 0) {
        return path;
    }
    snprintf(place, PLACE_MAX, "%s:%u:%u", path, pos.line, pos.column);
    return place;
}

static void preflight_addr(const struct fe_addr *addr, struct fe_toml_pos pos, const char *path,
                           const struct fe_log *log)
{
    enum { PRIVILEGED_PORT = 1024 };
    char text[FE_ADDR_TEXT_MAX];
    char buf[PLACE_MAX];
    const char *const place = place_of(path, pos, buf);
    const int code = fe_listener_try(addr);

    fe_addr_format(addr, text);
    if (code == FLATEND_EACCESS && addr->family != FE_UNIX && addr->port < PRIVILEGED_PORT) {
        fe_log(log, FLATEND_LOG_WARN,
               "%s: cannot listen on %s: ports below 1024 need root or CAP_NET_BIND_SERVICE.",
               place, text);
    } else if (code == FLATEND_EADDRINUSE) {
        fe_log(log, FLATEND_LOG_WARN, "%s: %s is already in use.", place, text);
    } else if (code != 0) {
        fe_log(log, FLATEND_LOG_WARN, "%s: cannot listen on %s: %s.", place, text,
               flatend_strerror(code));
    }
}

/* Cuts a path back to what is there of it. */
static const char *existing_part(char *path)
{
    while (access(path, F_OK) != 0) {
        char *const slash = strrchr(path, '/');

        if (slash == NULL) {
            return ".";
        }
        if (slash == path) {
            return "/";
        }
        *slash = '\0';
    }
    return path;
}

/* Can the directory be written to, or made where it is to be? */
static void preflight_state_dir(const struct fe_config *config, const char *path,
                                const struct fe_log *log)
{
    char *const copy = strdup(config->state_dir);
    const char *there;
    struct stat st;
    int number = 0;

    if (copy == NULL) {
        return;
    }
    there = existing_part(copy);
    if (stat(there, &st) != 0 || access(there, W_OK | X_OK) != 0) {
        number = errno;
    } else if (!S_ISDIR(st.st_mode)) {
        number = ENOTDIR;
    }
    if (number != 0) {
        fe_log(log, FLATEND_LOG_WARN,
               "%s: cannot use the state directory '%s': '%s': %s; set state_dir.", path,
               config->state_dir, there, strerror(number));
    }
    free(copy);
}

/* Can what is kept there be written at all? */
static void preflight_disk(const struct fe_config *config, const char *path,
                           const struct fe_log *log)
{
    enum { ENOUGH = 1024 * 1024 };
    char *const copy = strdup(config->state_dir);
    const char *there;
    struct statvfs vfs;

    if (copy == NULL) {
        return;
    }
    there = existing_part(copy);
    if (statvfs(there, &vfs) != 0) {
        free(copy);
        return;
    }
    if ((vfs.f_flag & ST_RDONLY) != 0) {
        fe_log(log, FLATEND_LOG_WARN,
               "%s: the state directory '%s' is on a file system that is mounted read-only.", path,
               config->state_dir);
    } else if ((uint64_t)vfs.f_bavail * vfs.f_frsize < ENOUGH ||
               (vfs.f_files > 0 && vfs.f_favail == 0)) {
        fe_log(log, FLATEND_LOG_WARN,
               "%s: the disk of the state directory '%s' is full: certificates and keys cannot be "
               "stored.",
               path, config->state_dir);
    }
    free(copy);
}

/* What the gateway takes before the first client, and how many clients then remain: each takes a
 * descriptor, and a request for a file another one. */
static void preflight_descriptors(const struct fe_config *config, const char *path,
                                  const struct fe_log *log)
{
    enum { OWN = 16, OF_A_WORKER = 4, ACCEPTING_WORKERS_MAX = 4, ENOUGH = 1000 };
    struct rlimit limit;
    rlim_t needed = OWN + (rlim_t)OF_A_WORKER * config->n_workers;
    rlim_t accepting = config->n_workers;

    accepting = accepting < ACCEPTING_WORKERS_MAX ? accepting : ACCEPTING_WORKERS_MAX;
    for (size_t i = 0; i < config->n_http; i++) {
        needed += accepting * config->http[i].n_addrs;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY ||
        limit.rlim_max >= needed + ENOUGH) {
        return;
    }
    if (limit.rlim_max < needed) {
        fe_log(log, FLATEND_LOG_WARN,
               "%s: %u workers take %llu descriptors, the limit of open files is %llu: raise it "
               "(ulimit -Hn, LimitNOFILE), or lower 'workers'.",
               path, config->n_workers, (unsigned long long)needed,
               (unsigned long long)limit.rlim_max);
    } else {
        fe_log(log, FLATEND_LOG_WARN,
               "%s: the limit of open files, %llu, leaves room for %llu connections: raise it "
               "(ulimit -Hn, LimitNOFILE).",
               path, (unsigned long long)limit.rlim_max,
               (unsigned long long)(limit.rlim_max - needed));
    }
}

/* One that is not there is made at the first start. */
static void preflight_secret_key(const struct fe_config_mesh *mesh, const char *path,
                                 const struct fe_log *log)
{
    struct flatend_secret_key key;
    struct flatend_error err;
    const int code = mesh->key_path != NULL ? flatend_secret_key_load(&key, mesh->key_path, &err)
                                            : FLATEND_ENOENT;

    fe_wipe(&key, sizeof(key));
    if (code != 0 && code != FLATEND_ENOENT) {
        fe_log(log, FLATEND_LOG_WARN, "%s:%u:%u: %s.", path, mesh->key_pos.line,
               mesh->key_pos.column, err.text);
    }
}

static bool has_port(const struct fe_config_http *http, uint16_t port)
{
    for (size_t i = 0; i < http->n_addrs; i++) {
        if (http->addrs[i].port == port) {
            return true;
        }
    }
    return false;
}

/* Is the challenge answered where the CA asks it (RFC 8555 §8.3, RFC 8737 §3)? */
static bool is_answered(const struct fe_config *config, const struct fe_config_http *http,
                        enum fe_acme_challenge_type type)
{
    enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

    if (type == FE_ACME_TLS_ALPN_01) {
        return has_port(http, HTTPS_PORT);
    }
    for (size_t i = 0; i < config->n_http; i++) {
        if (config->http[i].https == FE_HTTPS_OFF && has_port(&config->http[i], HTTP_PORT)) {
            return true;
        }
    }
    return false;
}

static void preflight_challenges(const struct fe_config *config, const struct fe_config_http *http,
                                 const char *path, const struct fe_log *log)
{
    for (size_t i = 0; i < config->acme.n_challenges; i++) {
        if (is_answered(config, http, config->acme.challenges[i])) {
            return;
        }
    }
    fe_log(log, FLATEND_LOG_WARN,
           "%s:%u:%u: the CA will connect to port 80 (http-01) or 443 (tls-alpn-01) of '%.*s': no "
           "listener has such a port; forward one to this gateway.",
           path, http->https_pos.line, http->https_pos.column, (int)http->domains[0].len,
           (const char *)http->domains[0].ptr);
}

void fe_command_preflight(const struct fe_config *config, const char *path,
                          const struct fe_log *log)
{
    bool needs_state = false;

    preflight_secret_key(&config->mesh, path, log);
    preflight_addr(&config->addr, config->addr_pos, path, log);
    fe_files_log_opening(config, FLATEND_LOG_WARN, log);
    for (size_t i = 0; i < config->n_http; i++) {
        const struct fe_config_http *const http = &config->http[i];

        for (size_t k = 0; k < http->n_addrs; k++) {
            preflight_addr(&http->addrs[k], http->addrs_pos[k], path, log);
        }
        if (http->https == FE_HTTPS_ON && http->n_certs == 0) {
            preflight_challenges(config, http, path, log);
        }
        needs_state = needs_state || (http->https != FE_HTTPS_OFF && http->n_certs == 0);
    }
    preflight_descriptors(config, path, log);
    fe_command_preflight_threads(config->n_workers, path, log);
    if (needs_state) {
        preflight_state_dir(config, path, log);
        preflight_disk(config, path, log);
    }
}
