/* Dates and times (RFC 3339, and parts of it). */
#ifndef FE_GATEWAY_TOML_DATETIME_H
#define FE_GATEWAY_TOML_DATETIME_H

#include "gateway/toml/toml.h"

/* Does it begin as a date (1979-) or a time (07:) does? */
bool fe_toml_is_like_datetime(struct fe_view text);

/* Which of the four it is. FLATEND_ESYNTAX: none; FLATEND_EINVAL: there is no such day or time. */
int fe_toml_datetime_type(struct fe_view text, enum fe_toml_type *type) FE_MUST_USE;

#endif
