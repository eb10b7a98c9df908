/* Serves files and directories of a `static` route: a backend.
 *
 * Files are opened and read on the worker's own thread, in blocks, as the client takes them. That a
 * disk can make the loop wait is accepted here as it is by nginx's default: what is served often
 * is in the page cache. */
#ifndef FE_GATEWAY_FILES_FILES_H
#define FE_GATEWAY_FILES_FILES_H

#include "gateway/config/config.h"
#include "ground/base/shortage.h"
#include "web/http/exchange.h"

/* Answers a GET or HEAD from the `struct fe_config_route` that was matched, and the path below its
 * directory: the value of the parameter `route->rest`, empty when the pattern has none. One
 * worker's.
 */
struct fe_files_backend {
    struct fe_backend backend;
    struct fe_shortage *descriptors; /* is told when there are none for a file; NULL: nobody is */
    uint64_t (*now_ms)(void *arg);
    void *now_arg;
};

/* `now_ms` is called only if somebody is told. */
struct fe_files_backend fe_files_backend(struct fe_shortage *descriptors,
                                         uint64_t (*now_ms)(void *arg), void *now_arg);

/* If directories are served: says at `refused` that the system does not open what is below them in
 * one call, and why; else, for debugging, that it does. */
void fe_files_log_opening(const struct fe_config *config, enum flatend_log_level refused,
                          const struct fe_log *log);

#endif
