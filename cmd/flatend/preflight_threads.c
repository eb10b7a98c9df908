/* Whether the system lets the gateway have its threads: the limit of its user, and those of its
 * control groups, which containers and services are started with. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

enum {
    TEXT_MAX = 8192,
    LINE_MAX_LEN = 512,
    /* Besides the workers: the log's writer, the one that gives memory back, four of libuv's, and
     * some that look up names. */
    OWN = 8,
};

/* The beginning of a file, with a NUL behind it. False: it cannot be read. */
static bool read_text(const char *path, char text[TEXT_MAX])
{
    FILE *const file = fopen(path, "re");
    size_t n;

    if (file == NULL) {
        return false;
    }
    n = fread(text, 1, TEXT_MAX - 1, file);
    fclose(file);
    text[n] = '\0';
    return n > 0;
}

/* A file that is a number. False: it is something else ("max"), or not there. */
static bool read_number(const char *folder, const char *name, unsigned long long *n)
{
    char path[LINE_MAX_LEN + 64];
    char text[TEXT_MAX];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return read_text(path, text) && sscanf(text, "%llu", n) == 1;
}

static void say(const struct fe_log *log, const char *path, unsigned needed,
                unsigned long long left, const char *limit)
{
    fe_log(log, FLATEND_LOG_WARN,
           "%s: the gateway takes up to %u threads, %s leaves room for %llu: raise it, or lower "
           "'workers'.",
           path, needed, limit, left);
}

/* ---- the user's ----------------------------------------------------------------------------- */

/* Of one process; 0: it is gone, or another user's. */
static unsigned long long threads_of(const char *pid)
{
    char path[LINE_MAX_LEN];
    char text[TEXT_MAX];
    const char *line;
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%.32s/status", pid);
    if (stat(path, &st) != 0 || st.st_uid != getuid() || !read_text(path, text)) {
        return 0;
    }
    line = strstr(text, "\nThreads:");
    return line != NULL ? strtoull(line + strlen("\nThreads:"), NULL, 10) : 0;
}

static unsigned long long threads_of_user(void)
{
    DIR *const dir = opendir("/proc");
    unsigned long long n = 0;
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        n += isdigit((unsigned char)entry->d_name[0]) ? threads_of(entry->d_name) : 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return n;
}

/* setrlimit(2): it does not count for root. */
static void check_user(const char *path, unsigned needed, const struct fe_log *log)
{
    struct rlimit limit;
    unsigned long long n;

    if (geteuid() == 0 || getrlimit(RLIMIT_NPROC, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return;
    }
    n = threads_of_user();
    if (limit.rlim_cur < n + needed) {
        say(log, path, needed, limit.rlim_cur > n ? limit.rlim_cur - n : 0,
            "the limit of this user's processes (ulimit -u, LimitNPROC)");
    }
}

/* ---- the groups' ---------------------------------------------------------------------------- */

/* False: this group has enough. */
static bool is_short(const char *folder, unsigned needed, unsigned long long *left)
{
    unsigned long long max;
    unsigned long long current;

    if (!read_number(folder, "pids.max", &max) || !read_number(folder, "pids.current", &current) ||
        max >= current + needed) {
        return false;
    }
    *left = max > current ? max - current : 0;
    return true;
}

/* The group of this process below `root`, and those that it is in. */
static void check_groups(const char *root, const char *group, const char *path, unsigned needed,
                         const struct fe_log *log)
{
    char folder[LINE_MAX_LEN];
    const size_t root_len = strlen(root);
    unsigned long long left;

    snprintf(folder, sizeof(folder), "%s%s", root, group);
    while (!is_short(folder, needed, &left)) {
        char *const slash = strrchr(folder, '/');

        if (slash == NULL || (size_t)(slash - folder) < root_len) {
            return;
        }
        *slash = '\0';
    }
    say(log, path, needed, left, "the limit of its control group (pids.max, TasksMax)");
}

/* cgroups(7): "0::/group", or "7:pids:/group" where the first version is in use. */
static void check_control_groups(const char *path, unsigned needed, const struct fe_log *log)
{
    char text[TEXT_MAX];
    char *rest = text;
    char *line;

    if (!read_text("/proc/self/cgroup", text)) {
        return;
    }
    while ((line = strsep(&rest, "\n")) != NULL) {
        const char *const name = strchr(line, ':');
        const char *const group = name != NULL ? strchr(name + 1, ':') : NULL;

        if (group == NULL) {
            continue;
        }
        if (strncmp(line, "0::", 3) == 0) {
            check_groups("/sys/fs/cgroup", group + 1, path, needed, log);
        } else if (strncmp(name, ":pids:", 6) == 0) {
            check_groups("/sys/fs/cgroup/pids", group + 1, path, needed, log);
        }
    }
}

void fe_command_preflight_threads(unsigned n_workers, const char *path, const struct fe_log *log)
{
    const unsigned needed = n_workers + OWN;

    check_user(path, needed, log);
    check_control_groups(path, needed, log);
}
