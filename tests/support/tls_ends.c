#include "support/tls_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { GOT_MAX = 64 << 20 };

void tls_world_init(struct tls_world *world)
{
    struct flatend_error err = {0};
    struct fe_cert *cert;

    *world = (struct tls_world){0};
    temp_dir_make(&world->dir);
    if (fe_local_ca_open(world->dir.path, TLS_NOW_S, &world->ca, &err) != 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(fe_tls_trust_new(fe_local_ca_path(world->ca), &world->trust, &err), 0);
    assert_int_equal(fe_tls_tickets_new(&world->tickets), 0);
    assert_int_equal(fe_tls_store_new(world->tickets, FE_VIEW_LIT("test"), false, &world->store),
                     0);
    cert = tls_world_issue(world, "localhost");
    assert_int_equal(fe_tls_store_set(world->store, &cert, 1), 0);
    fe_cert_unref(cert);
}

void tls_world_deinit(struct tls_world *world)
{
    fe_tls_store_free(world->store);
    fe_tls_tickets_free(world->tickets);
    fe_tls_trust_free(world->trust);
    fe_local_ca_close(world->ca);
    temp_dir_remove(&world->dir);
}

struct fe_cert *tls_world_issue(struct tls_world *world, const char *name)
{
    const struct fe_view names[] = {fe_view_str(name)};
    struct fe_cert *cert;

    assert_int_equal(fe_local_ca_issue(world->ca, names, 1, TLS_NOW_S, &cert), 0);
    return cert;
}

static void on_open(void *owner)
{
    struct tls_end *end = owner;

    assert_int_equal(end->n_open, 0);
    end->n_open++;
}

static void on_read(void *owner, uint8_t *data, size_t len)
{
    struct tls_end *end = owner;

    assert_int_equal(end->n_open, 1);
    assert_int_equal(end->n_eof, 0);
    if (fe_buf_append(&end->got, data, len) != 0) {
        end->code = FLATEND_ENOMEM;
    }
    memset(data, 0xee, len); /* it may be changed */
}

static void on_eof(void *owner)
{
    ((struct tls_end *)owner)->n_eof++;
}

static const struct fe_tls_ops ops = {.on_open = on_open, .on_read = on_read, .on_eof = on_eof};

static void end_init(struct tls_end *end)
{
    *end = (struct tls_end){0};
    fe_chain_init(&end->out, NULL);
    fe_chain_init(&end->plain, NULL);
    fe_buf_init(&end->got, GOT_MAX);
}

int tls_ends_init(struct tls_ends *ends, struct tls_world *world, const char *name)
{
    end_init(&ends->client);
    end_init(&ends->server);
    ends->server.tls = fe_tls_server_new(world->store, &ends->server.out, &ops, &ends->server);
    ends->client.tls =
        fe_tls_client_new(world->trust, name, &ends->client.out, &ops, &ends->client);
    return ends->server.tls != NULL && ends->client.tls != NULL ? 0 : FLATEND_ENOMEM;
}

static void end_deinit(struct tls_end *end)
{
    fe_tls_free(end->tls);
    fe_chain_deinit(&end->out);
    fe_chain_deinit(&end->plain);
    fe_buf_deinit(&end->got);
}

void tls_ends_deinit(struct tls_ends *ends)
{
    end_deinit(&ends->client);
    end_deinit(&ends->server);
}

static void pump(struct tls_end *end)
{
    int code = fe_tls_pump(end->tls, &end->plain);

    if (code != 0) {
        end->code = code;
    }
}

/* In a block of its own size, so that a byte read beyond it shows. */
static bool move(struct tls_end *from, struct tls_end *to, size_t cut)
{
    size_t len = from->out.len < cut ? from->out.len : cut;
    uint8_t *piece;

    if (len == 0 || to->code != 0) {
        return false;
    }
    piece = malloc(len);
    if (piece == NULL) {
        to->code = FLATEND_ENOMEM;
        return false;
    }
    (void)fe_chain_read(&from->out, piece, len);
    to->code = fe_tls_feed(to->tls, fe_view_of(piece, len), &to->err);
    free(piece);
    return true;
}

void tls_ends_run(struct tls_ends *ends, size_t cut)
{
    bool has_moved;

    do {
        pump(&ends->client);
        pump(&ends->server);
        has_moved = move(&ends->client, &ends->server, cut);
        has_moved = move(&ends->server, &ends->client, cut) || has_moved;
    } while (has_moved);
}

int tls_end_say(struct tls_end *end, const void *data, size_t len)
{
    return fe_chain_append(&end->plain, data, len);
}
