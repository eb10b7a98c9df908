#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char HELP[] =
    "Usage: flatend [OPTIONS]\n"
    "       flatend check [OPTIONS]\n"
    "       flatend trust [OPTIONS]\n"
    "       flatend keygen [--mesh-secret] PATH\n"
    "       flatend id [OPTIONS] [PATH]\n"
    "\n"
    "Runs an API gateway: a node of the mesh, and HTTP listeners that pass requests on to\n"
    "services.\n"
    "\n"
    "  check               only says whether the configuration is valid\n"
    "  trust               says how to make this machine trust https = \"local\"\n"
    "  keygen PATH         writes a new secret key to PATH, and prints its public key\n"
    "  id [PATH]           prints the public key of the secret key in PATH, or of the one that\n"
    "                      the configuration names\n"
    "\n"
    "  -c, --config PATH   configuration file (default config.toml)\n"
    "      --host IP       address for other nodes, unless the file has 'addr' (default "
    "127.0.0.1)\n"
    "  -p, --port PORT     port for other nodes, unless the file has 'addr' (default 9000)\n"
    "      --mesh-secret   keygen: write the secret of a mesh instead of a node's key\n"
    "  -h, --help          print this help\n"
    "  -V, --version       print the version\n"
    "\n"
    "Exit status: 0 ended as asked or valid, 1 failure, 2 wrong usage.\n";

const char *fe_options_help(void)
{
    return HELP;
}

static int fail_usage(const char *what, const char *found)
{
    fprintf(stderr, "flatend: %s, found '%s'\nTry 'flatend --help'.\n", what, found);
    return FLATEND_EINVAL;
}

static int parse_port(const char *text, uint16_t *port)
{
    unsigned number = 0;
    size_t n = 0;

    while (text[n] >= '0' && text[n] <= '9' && number <= UINT16_MAX) {
        number = number * 10 + (unsigned)(text[n++] - '0');
    }
    if (n == 0 || text[n] != '\0' || number > UINT16_MAX) {
        return fail_usage("--port expects a number from 0 to 65535", text);
    }
    *port = (uint16_t)number;
    return 0;
}

/* Keeps the port that is there. */
static int parse_host(const char *text, struct fe_addr *addr)
{
    const uint16_t port = addr->port;
    const bool is_ipv6 = strchr(text, ':') != NULL;
    char host_port[FE_ADDR_TEXT_MAX];
    const int len = snprintf(host_port, sizeof(host_port), is_ipv6 ? "[%s]:0" : "%s:0", text);

    if (text[0] == '\0' || len < 0 || (size_t)len >= sizeof(host_port) ||
        fe_addr_parse(addr, host_port, NULL) != 0) {
        return fail_usage("--host expects an IP address", text);
    }
    addr->port = port;
    return 0;
}

/* What a verb wants behind it. */
enum operand { NO_OPERAND, MAY_OPERAND, MUST_OPERAND };

static const struct {
    const char *name;
    enum fe_verb verb;
    enum operand operand;
} VERBS[] = {
    {"check", FE_VERB_CHECK, NO_OPERAND},
    {"trust", FE_VERB_TRUST, NO_OPERAND},
    {"keygen", FE_VERB_KEYGEN, MUST_OPERAND},
    {"id", FE_VERB_ID, MAY_OPERAND},
};

static int parse_operand(struct fe_options *options, int argc, char **argv, enum operand operand)
{
    if (operand != NO_OPERAND && optind < argc) {
        options->operand = argv[optind++];
    } else if (operand == MUST_OPERAND) {
        fputs("flatend: expected the path of a file to write\nTry 'flatend --help'.\n", stderr);
        return FLATEND_EINVAL;
    }
    return optind < argc ? fail_usage("unexpected argument", argv[optind]) : 0;
}

static int parse_verb(struct fe_options *options, int argc, char **argv)
{
    const char *const name = argv[optind];

    if (optind == argc) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
        if (strcmp(name, VERBS[i].name) == 0) {
            optind++;
            options->verb = VERBS[i].verb;
            return parse_operand(options, argc, argv, VERBS[i].operand);
        }
    }
    return fail_usage("expected 'check', 'trust', 'keygen', 'id' or no argument", name);
}

static int parse_option(struct fe_options *options, int option, const char *value)
{
    switch (option) {
    case 'c':
        options->config_path = value;
        options->has_config_path = true;
        return 0;
    case 'H':
        return parse_host(value, &options->addr);
    case 'p':
        return parse_port(value, &options->addr.port);
    case 'm':
        options->is_mesh_secret = true;
        return 0;
    case 'h':
        options->verb = FE_VERB_HELP;
        return 0;
    case 'V':
        options->verb = FE_VERB_VERSION;
        return 0;
    default: /* getopt_long has said what is wrong */
        fputs("Try 'flatend --help'.\n", stderr);
        return FLATEND_EINVAL;
    }
}

int fe_options_parse(struct fe_options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'},
        {"host", required_argument, NULL, 'H'},
        {"port", required_argument, NULL, 'p'},
        {"mesh-secret", no_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int code = 0;
    int option;

    *options = (struct fe_options){
        .verb = FE_VERB_RUN,
        .config_path = "config.toml",
        .addr = {.family = FE_IPV4, .ip = {127, 0, 0, 1}, .port = 9000},
    };
    while (code == 0 && (option = getopt_long(argc, argv, "c:p:hV", known, NULL)) != -1) {
        code = parse_option(options, option, optarg);
    }
    if (code != 0 || options->verb != FE_VERB_RUN) {
        return code;
    }
    code = parse_verb(options, argc, argv);
    if (code == 0 && options->is_mesh_secret && options->verb != FE_VERB_KEYGEN) {
        fputs("flatend: --mesh-secret is valid with 'keygen' only\nTry 'flatend --help'.\n",
              stderr);
        code = FLATEND_EINVAL;
    }
    return code;
}
