/* What an application asks for, before anything is copied. */
#ifndef FE_MESH_NODE_REQUEST_CHECK_H
#define FE_MESH_NODE_REQUEST_CHECK_H

#include "ground/base/err.h"

/* FLATEND_EINVAL; FLATEND_ETOOBIG: no provider takes so much. `error` says what. */
int fe_request_check(const struct flatend_request *request,
                     struct flatend_error *error) FE_MUST_USE;

/* Names of services, at least one: FLATEND_EINVAL, FLATEND_ETOOBIG. */
int fe_request_check_services(const char *const *services, size_t n,
                              struct flatend_error *error) FE_MUST_USE;

#endif
