/* [mesh]: what it means, and what of it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config/config.h"
#include "support/temp_dir.h"

#define KEY_A "0101010101010101010101010101010101010101010101010101010101010101"
#define KEY_B "0202020202020202020202020202020202020202020202020202020202020202"

static struct fe_config *parse(const char *text)
{
    struct fe_config *config;
    struct flatend_error err = {0};

    if (fe_config_parse("config.toml", fe_view_str(text), &config, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return config;
}

static void assert_refused(const char *text, const char *message)
{
    struct fe_config *config;
    struct flatend_error err = {0};

    assert_int_equal(fe_config_parse("config.toml", fe_view_str(text), &config, &err),
                     FLATEND_EINVAL);
    assert_string_equal(err.text, message);
    assert_null(config);
}

static void nothing_is_required_by_default(void **state)
{
    struct fe_config *const config = parse("");

    (void)state;
    assert_null(config->mesh.key_path);
    assert_null(config->mesh.secret);
    assert_false(config->mesh.require_secure);
    assert_int_equal(config->mesh.n_allowed, 0);
    assert_int_equal(config->mesh.n_rules, 0);
    assert_int_equal(config->mesh.n_peers, 0);
    assert_int_equal(config->mesh.dead_after_ms, 15000);
    assert_false(config->mesh.has_reconnect_attempts);
    assert_int_equal((int)(config->mesh.reconnect_factor * 100), 125);
    assert_int_equal(config->mesh.reconnect_min_ms, 500);
    assert_int_equal(config->mesh.reconnect_max_ms, 1000);
    assert_int_equal(config->mesh.start_timeout_ms, 5000);
    assert_false(config->mesh.start_needs_peer);
    fe_config_unref(config);
}

static void dialing_again_is_read(void **state)
{
    struct fe_config *config = parse("[mesh]\n"
                                     "reconnect_attempts = 0\n"
                                     "reconnect_factor = 2\n"
                                     "reconnect_min = \"1s\"\n"
                                     "reconnect_max = \"1m\"\n"
                                     "start_timeout = \"100ms\"\n"
                                     "start_needs_peer = true\n");

    (void)state;
    assert_true(config->mesh.has_reconnect_attempts);
    assert_int_equal(config->mesh.reconnect_attempts, 0);
    assert_int_equal((int)(config->mesh.reconnect_factor * 100), 200);
    assert_int_equal(config->mesh.reconnect_min_ms, 1000);
    assert_int_equal(config->mesh.reconnect_max_ms, 60000);
    assert_int_equal(config->mesh.start_timeout_ms, 100);
    assert_true(config->mesh.start_needs_peer);
    fe_config_unref(config);
    config = parse("[mesh]\nreconnect_factor = 1.5\nreconnect_min = \"2s\"\n");
    assert_int_equal((int)(config->mesh.reconnect_factor * 100), 150);
    assert_int_equal(config->mesh.reconnect_max_ms, 2000);
    fe_config_unref(config);
    config = parse("[mesh]\nreconnect_max = \"100ms\"\n");
    assert_int_equal(config->mesh.reconnect_min_ms, 100);
    fe_config_unref(config);
    assert_refused("[mesh]\nreconnect_max = \"1s\"\nreconnect_min = \"2s\"\n",
                   "config.toml:2:17: 'reconnect_max' is less than 'reconnect_min'");
    assert_refused("[mesh]\nreconnect_factor = 0.5\n",
                   "config.toml:2:20: expected a factor from 1 to 1000");
    assert_refused("[mesh]\nreconnect_factor = nan\n",
                   "config.toml:2:20: expected a factor from 1 to 1000");
    assert_refused("[mesh]\nreconnect_factor = 1001\n",
                   "config.toml:2:20: expected a factor from 1 to 1000");
    assert_refused("[mesh]\nreconnect_factor = \"2\"\n",
                   "config.toml:2:20: expected a factor such as 1.25, found a string");
    assert_refused("[mesh]\nreconnect_attempts = -1\n",
                   "config.toml:2:22: expected a number of attempts from 0 to 1000000");
}

static void everything_is_read(void **state)
{
    struct fe_config *const config =
        parse("[mesh]\n"
              "secret_key = \"gateway.key\"\n"
              "require_secure = true\n"
              "allow = [\"" KEY_A "\", \"" KEY_B "\"]\n"
              "peers = [\"10.0.0.2:9000\", \"" KEY_A "@node.example:9000\"]\n"
              "dead_after = \"2s\"\n"
              "[[mesh.services]]\n"
              "name = \"payments\"\n"
              "keys = [\"" KEY_B "\"]\n");
    const struct fe_config_mesh *const mesh = &config->mesh;

    (void)state;
    assert_string_equal(mesh->key_path, "gateway.key");
    assert_true(mesh->require_secure);
    assert_int_equal(mesh->n_allowed, 2);
    assert_int_equal(mesh->allowed[0].bytes[0], 1);
    assert_int_equal(mesh->allowed[1].bytes[31], 2);
    assert_int_equal(mesh->n_peers, 2);
    assert_string_equal(mesh->peers[1], KEY_A "@node.example:9000");
    assert_int_equal(mesh->dead_after_ms, 2000);
    assert_int_equal(mesh->n_rules, 1);
    assert_string_equal(mesh->rules[0].service, "payments");
    assert_int_equal(mesh->rules[0].n_keys, 1);
    assert_int_equal(mesh->rules[0].keys[0].bytes[0], 2);
    fe_config_unref(config);
}

static void mistakes_are_placed(void **state)
{
    (void)state;
    assert_refused("mesh = 1\n", "config.toml:1:8: expected a table: [mesh], found an integer");
    assert_refused("[mesh]\nsecretkey = \"a\"\n", "config.toml:2:1: unknown key 'secretkey' in "
                                                  "[mesh]: did you mean 'secret_key'?");
    assert_refused("[mesh]\nallow = [\"abc\"]\n",
                   "config.toml:2:10: expected a public key of 64 hexadecimal digits ('flatend id' "
                   "prints it)");
    assert_refused("[mesh]\npeers = [\"10.0.0.2\"]\n",
                   "config.toml:2:10: expected the address of a node, \"host:port\" or "
                   "\"KEY@host:port\"");
    assert_refused("[mesh]\npeers = [\"a node:9000\"]\n",
                   "config.toml:2:10: expected the address of a node, \"host:port\" or "
                   "\"KEY@host:port\"");
    assert_refused("[mesh]\npeers = [\"abc@10.0.0.2:9000\"]\n",
                   "config.toml:2:10: expected a public key of 64 hexadecimal digits before '@' "
                   "('flatend id' prints it)");
    assert_refused("[mesh]\npeers = [\"10.0.0.2:9000\", \"" KEY_A "@10.0.0.2\"]\n",
                   "config.toml:2:27: expected the address of a node, \"host:port\" or "
                   "\"KEY@host:port\"");
    assert_refused("[mesh]\npeers = [\"zz" KEY_A "@10.0.0.2:9000\"]\n",
                   "config.toml:2:10: expected a public key of 64 hexadecimal digits before '@' "
                   "('flatend id' prints it)");
    assert_refused("[mesh]\ndead_after = \"25h\"\n",
                   "config.toml:2:14: expected a duration of at most a day");
    assert_refused("[[mesh.services]]\nkeys = [\"" KEY_A "\"]\n",
                   "config.toml:1:1: [[mesh.services]] needs a 'name'");
    assert_refused(
        "[[mesh.services]]\nname = \"a\"\n",
        "config.toml:1:1: [[mesh.services]] needs 'keys': the nodes that may provide 'a'");
    assert_refused("[mesh]\nsecret = \"hush\"\n",
                   "config.toml:2:10: expected \"file:PATH\" or \"env:NAME\"");
    assert_refused("[mesh]\nsecret = \"env:FLATEND_TEST_UNSET\"\n",
                   "config.toml:2:10: the environment variable 'FLATEND_TEST_UNSET' is not set");
}

static void the_secret_comes_from_the_environment(void **state)
{
    struct fe_config *config;

    (void)state;
    assert_int_equal(setenv("FLATEND_TEST_SECRET", "0123456789abcdef", 1), 0);
    config = parse("[mesh]\nsecret = \"env:FLATEND_TEST_SECRET\"\n");
    assert_int_equal(config->mesh.secret_len, 16);
    assert_memory_equal(config->mesh.secret, "0123456789abcdef", 16);
    fe_config_unref(config);
    assert_int_equal(setenv("FLATEND_TEST_SECRET", "0123456789abcde", 1), 0);
    assert_refused("[mesh]\nsecret = \"env:FLATEND_TEST_SECRET\"\n",
                   "config.toml:2:10: the mesh secret must have 16 to 4096 bytes (create one with "
                   "'flatend keygen --mesh-secret PATH')");
}

static void the_secret_comes_from_a_private_file(void **state)
{
    struct temp_dir dir;
    const char *path;
    char text[256];
    char message[256];
    struct fe_config *config;

    (void)state;
    temp_dir_make(&dir);
    path = temp_dir_path(&dir, "mesh.secret");
    snprintf(text, sizeof(text), "[mesh]\nsecret = \"file:%s\"\n", path);
    snprintf(message, sizeof(message), "config.toml:2:10: read mesh secret '%s': no such file",
             path);
    assert_refused(text, message);

    temp_dir_write(&dir, "mesh.secret", "0123456789abcdef\n", 17);
    assert_int_equal(chmod(path, 0600), 0);
    config = parse(text);
    assert_int_equal(config->mesh.secret_len, 16);
    fe_config_unref(config);

    assert_int_equal(chmod(path, 0640), 0);
    snprintf(message, sizeof(message),
             "config.toml:2:10: read mesh secret '%s': accessible by other users (mode "
             "0640, expected 0600); run chmod 600 on it",
             path);
    assert_refused(text, message);
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_required_by_default),
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(dialing_again_is_read),
        cmocka_unit_test(mistakes_are_placed),
        cmocka_unit_test(the_secret_comes_from_the_environment),
        cmocka_unit_test(the_secret_comes_from_a_private_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
