/* What JavaScript hands in, and what it gets back.
 *
 * Arguments are read with a cursor whose failure sticks: read all of them, then test `is_bad` once.
 * A wrong type is a mistake of lib/, and a TypeError; it has been thrown then. */
#ifndef ADDON_ARGS_H
#define ADDON_ARGS_H

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum { ADDON_ARGS_MAX = 8 };

struct addon_exchange;
struct addon_node;

struct addon_args {
    napi_env env;
    const char *function; /* for the texts of errors */
    napi_value values[ADDON_ARGS_MAX];
    bool is_bad;
};

struct addon_bytes {
    const uint8_t *data; /* never NULL */
    size_t len;
};

void addon_args_open(struct addon_args *args, napi_env env, napi_callback_info info,
                     const char *function);

/* Throws "FUNCTION: NAME must be WHAT", the first time. */
void addon_args_refuse(struct addon_args *args, const char *name, const char *what);

/* Out of memory: throws. */
void addon_args_exhausted(struct addon_args *args);

bool addon_args_is_nullish(const struct addon_args *args, napi_value value);

/* The first argument of nearly every function. NULL: `is_bad`. */
struct addon_node *addon_args_node(struct addon_args *args);

/* The open request or call of argument 1, of the node of argument 0. NULL: it is gone, or `is_bad`.
 */
struct addon_exchange *addon_args_exchange(struct addon_args *args, struct addon_node **node);

/* 0 if `is_bad`. Whole numbers: what is behind the point is dropped. */
int32_t addon_args_to_i32(struct addon_args *args, napi_value value, const char *name);
uint32_t addon_args_to_u32(struct addon_args *args, napi_value value, const char *name);
uint32_t addon_args_u32(struct addon_args *args, size_t i, const char *name);
bool addon_args_bool(struct addon_args *args, size_t i, const char *name);
uint64_t addon_args_handle(struct addon_args *args, size_t i, const char *name);

/* The number of elements of an array; of one that may be left out 0 if it is null or undefined. */
uint32_t addon_args_array(struct addon_args *args, napi_value value, const char *name);
uint32_t addon_args_optional_array(struct addon_args *args, napi_value value, const char *name);
napi_value addon_args_element(struct addon_args *args, napi_value array, uint32_t i);

/* Appends a string to `text`, with a NUL behind it, and returns where it begins. `len` may be NULL:
 * a string with a NUL in it is refused then. */
size_t addon_args_string(struct addon_args *args, napi_value value, const char *name,
                         struct addon_text *text, size_t *len);

/* The bytes of a Uint8Array (of a Buffer too), valid while nothing of JavaScript runs. */
struct addon_bytes addon_args_bytes(struct addon_args *args, napi_value value, const char *name);

/* The same, or the bytes of a string, which are appended to `text` and valid as long as that is not
 * changed. `*is_null`: it is null or undefined. */
struct addon_bytes addon_args_body(struct addon_args *args, napi_value value,
                                   struct addon_text *text, bool *is_null);

/* ---- results ---- */

napi_value addon_number(napi_env env, int64_t number);
napi_value addon_string(napi_env env, const char *text);
napi_value addon_buffer(napi_env env, const void *data, size_t len);

/* An Error with `code`, a number of flatend.h. */
napi_value addon_error(napi_env env, int code, const char *message);
napi_value addon_throw(napi_env env, int code, const char *message);

#endif
