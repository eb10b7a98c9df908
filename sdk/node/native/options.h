/* Options of a node, as JavaScript gives them. */
#ifndef ADDON_OPTIONS_H
#define ADDON_OPTIONS_H

#include <flatend.h>

#include "args.h"

struct addon_block;

struct addon_options {
    struct flatend_options flatend;
    struct flatend_service *services; /* those of `flatend`: their queue is set later */
    bool has_log;
    struct addon_block *blocks; /* all that `flatend` points to; wiped when it is freed */
};

/* Reads them. NULL: `args->is_bad`. */
struct addon_options *addon_options_new(struct addon_args *args, napi_value object);

void addon_options_free(struct addon_options *options);

/* An array of strings. NULL: there are none, or `args->is_bad`. The memory is the options'. */
const char *const *addon_options_strings(struct addon_options *options, struct addon_args *args,
                                         napi_value array, const char *name);

#endif
