/* The status codes of HTTP (RFC 9110 §15), which responses in the mesh have too. */
#ifndef FE_GROUND_BASE_STATUS_H
#define FE_GROUND_BASE_STATUS_H

/* "Not Found"; "" for an unknown status. */
const char *fe_status_text(int status);

#endif
