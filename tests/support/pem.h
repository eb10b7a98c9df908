/* Certificates and keys as PEM files, good ones and others. */
#ifndef TESTS_SUPPORT_PEM_H
#define TESTS_SUPPORT_PEM_H

#include "support/temp_dir.h"
#include "web/tls/cert.h"

enum { PEM_MAX = 8192 };

struct pem {
    char cert[PEM_MAX];
    char key[PEM_MAX];
};

/* A self-signed certificate for `name` (NULL: none), valid from yesterday for `days`. */
void pem_make(struct pem *pem, const char *name, int days);

/* Writes them as NAME.pem and NAME.key. */
void pem_write(const struct pem *pem, struct temp_dir *dir, const char *name);

/* Parses what must parse. */
struct fe_cert *pem_parse(const struct pem *pem);

#endif
