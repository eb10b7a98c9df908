/* What the command line asks for. */
#ifndef FE_CMD_OPTIONS_H
#define FE_CMD_OPTIONS_H

#include "ground/base/addr.h"

/* How the program ends; docs/configuration.md lists them. */
enum {
    FE_EXIT_OK = 0,
    FE_EXIT_FAILURE = 1,
    FE_EXIT_USAGE = 2,
};

enum fe_verb {
    FE_VERB_RUN,
    FE_VERB_CHECK,
    FE_VERB_TRUST,
    FE_VERB_KEYGEN,
    FE_VERB_ID,
    FE_VERB_HELP,
    FE_VERB_VERSION,
};

struct fe_options {
    enum fe_verb verb;
    const char *config_path;
    bool has_config_path; /* given, so that a missing file is a failure */
    struct fe_addr addr;  /* --host and --port */
    const char *operand;  /* of the verb: a path, or NULL */
    bool is_mesh_secret;  /* --mesh-secret */
};

/* Parses; on failure it has said to standard error what is wrong. FLATEND_EINVAL. */
int fe_options_parse(struct fe_options *options, int argc, char **argv) FE_MUST_USE;

/* The text of --help. */
const char *fe_options_help(void);

#endif
