/* Errors inside the library: the public codes, and text that grows on the way out. */
#ifndef FE_GROUND_BASE_ERR_H
#define FE_GROUND_BASE_ERR_H

#include <flatend.h>

#define FE_MUST_USE FLATEND_MUST_USE

/* Sets code and text. `err` may be NULL. Returns `code`, so that `return fe_err_set(...)` reads. */
int fe_err_set(struct flatend_error *err, int code, const char *format, ...) FLATEND_PRINTF(3, 4);

/* The same with the text of the code, where there is no more to say. */
int fe_err_code(struct flatend_error *err, int code);

/* Puts "context: " before the text, on the way out. Returns the code. */
int fe_err_wrap(struct flatend_error *err, const char *format, ...) FLATEND_PRINTF(2, 3);

#endif
