/* Options of applications that were compiled with another version of flatend.h: the struct grows at
 * its end, and says how long it is. */
#include <stddef.h>

#include "mesh/node/options.h"

enum {
    /* No version will be as long: it was not set. */
    OPTIONS_SIZE_MAX = 4096,
    /* Those of the first version end with `loop`: what was compiled with its header goes on to
     * work. */
    OPTIONS_SIZE_FIRST = offsetof(struct flatend_options, loop) + sizeof(struct uv_loop_s *),
};

static const struct flatend_options defaults = FLATEND_OPTIONS_INIT;

_Static_assert(sizeof(struct flatend_options) ==
                   offsetof(struct flatend_options, start_flags) + sizeof(unsigned),
               "a field that is added begins behind all that there was, not in padding");

void flatend_options_init(struct flatend_options *options, size_t size)
{
    const size_t n = size < sizeof(defaults) ? size : sizeof(defaults);

    if (options == NULL) {
        return;
    }
    memset(options, 0, size);
    memcpy(options, &defaults, n);
    if (size >= sizeof(options->size)) {
        options->size = size;
    }
}

int fe_options_read(const struct flatend_options *options, struct flatend_options *known,
                    struct flatend_error *error)
{
    const size_t size = options->size;
    const size_t n = size < sizeof(*known) ? size : sizeof(*known);

    *known = defaults;
    if (size < OPTIONS_SIZE_FIRST || size > OPTIONS_SIZE_MAX) {
        return fe_err_set(error, FLATEND_EINVAL,
                          "size: not set; initialize options with flatend_options_init or "
                          "FLATEND_OPTIONS_INIT");
    }
    if (!fe_view_is_zero(fe_view_of((const uint8_t *)options + n, size - n))) {
        return fe_err_set(error, FLATEND_EINVAL,
                          "size: options of a later version are set, which this library does not "
                          "know");
    }
    memcpy(known, options, n);
    known->size = sizeof(*known);
    return 0;
}
