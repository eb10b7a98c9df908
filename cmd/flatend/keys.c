/* flatend keygen, flatend id: the identities of nodes, and the secret of a mesh. */
#include <stdio.h>

#include "command.h"
#include "ground/base/wipe.h"
#include "ground/os/file.h"
#include "mesh/crypto/crypto.h"

enum { SECRET_BYTES = 32 };

static void print_public(const struct flatend_secret_key *key)
{
    struct flatend_public_key public_key;
    char text[FLATEND_PUBLIC_KEY_TEXT];

    flatend_secret_key_public(key, &public_key);
    flatend_public_key_format(&public_key, text);
    puts(text);
}

static int make_key(const char *path)
{
    struct flatend_secret_key key;
    struct flatend_error err;
    int code = flatend_secret_key_generate(&key);

    if (code != 0) {
        (void)fe_err_set(&err, code, "no randomness: %s", flatend_strerror(code));
        return fe_command_fail(&err);
    }
    code = flatend_secret_key_save(&key, path, &err);
    if (code == 0) {
        print_public(&key);
    }
    fe_wipe(&key, sizeof(key));
    return code == 0 ? fe_command_finish_output() : fe_command_fail(&err);
}

/* As many random bytes as a key has, as text. */
static int make_mesh_secret(const char *path)
{
    static const char digits[] = "0123456789abcdef";
    struct fe_rng rng = fe_rng_system();
    uint8_t bytes[SECRET_BYTES];
    char text[2 * SECRET_BYTES + 1];
    struct flatend_error err;
    int code;

    fe_rng_fill(&rng, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[sizeof(text) - 1] = '\n';
    code = fe_file_create(path, "write mesh secret", fe_view_of(text, sizeof(text)), &err);
    fe_wipe(bytes, sizeof(bytes));
    fe_wipe(text, sizeof(text));
    return code == 0 ? fe_command_finish_output() : fe_command_fail(&err);
}

int fe_command_keygen(const struct fe_options *options)
{
    return options->is_mesh_secret ? make_mesh_secret(options->operand)
                                   : make_key(options->operand);
}

/* The key that the configuration names; `*path` is in `*config`. */
static int find_key(const char *config_path, const char **path, struct fe_config **config)
{
    struct fe_config_mistakes mistakes;
    struct flatend_error err;
    int code = fe_config_load_all(config_path, config, &mistakes);

    if (code != 0) {
        (void)fe_command_fail_all(&mistakes);
        return code;
    }
    *path = (*config)->mesh.key_path;
    if (*path == NULL) {
        code =
            fe_err_set(&err, FLATEND_ENOENT,
                       "%s: no 'secret_key' in [mesh]: the node gets a new identity at each start",
                       config_path);
        (void)fe_command_fail(&err);
    }
    return code;
}

static int print_id(const char *path)
{
    struct flatend_secret_key key;
    struct flatend_error err;
    const int code = flatend_secret_key_load(&key, path, &err);

    if (code != 0) {
        return fe_command_fail(&err);
    }
    print_public(&key);
    fe_wipe(&key, sizeof(key));
    return fe_command_finish_output();
}

int fe_command_id(const struct fe_options *options)
{
    const char *path = options->operand;
    struct fe_config *config = NULL;
    int status = FE_EXIT_FAILURE;

    if (path != NULL || find_key(options->config_path, &path, &config) == 0) {
        status = print_id(path);
    }
    fe_config_unref(config);
    return status;
}
