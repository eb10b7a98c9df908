#include "exchanges.h"

#include <stdlib.h>

enum {
    FREE_MAX = 1024,
    ID_MAX = INT32_MAX, /* a small integer of V8's */
};

static uint64_t context_key(const struct flatend_context *context)
{
    return (uint64_t)(uintptr_t)context;
}

static uint32_t next_id(struct addon_exchanges *exchanges)
{
    do {
        exchanges->last_id = exchanges->last_id < ID_MAX ? exchanges->last_id + 1 : 1;
    } while (addon_map_find(&exchanges->by_id, exchanges->last_id) != NULL);
    return exchanges->last_id;
}

static struct addon_exchange *take_free(struct addon_exchanges *exchanges)
{
    struct addon_exchange *exchange = exchanges->free;

    if (exchange == NULL) {
        return calloc(1, sizeof(*exchange));
    }
    exchanges->free = exchange->next;
    exchanges->n_free--;
    *exchange = (struct addon_exchange){0};
    return exchange;
}

static void give_back(struct addon_exchanges *exchanges, struct addon_exchange *exchange)
{
    if (exchanges->n_free == FREE_MAX) {
        free(exchange);
        return;
    }
    exchange->next = exchanges->free;
    exchanges->free = exchange;
    exchanges->n_free++;
}

struct addon_exchange *addon_exchanges_add_call(struct addon_exchanges *exchanges)
{
    struct addon_exchange *exchange = take_free(exchanges);

    if (exchange == NULL) {
        return NULL;
    }
    exchange->id = next_id(exchanges);
    if (!addon_map_insert(&exchanges->by_id, exchange->id, exchange)) {
        give_back(exchanges, exchange);
        return NULL;
    }
    return exchange;
}

struct addon_exchange *addon_exchanges_add_request(struct addon_exchanges *exchanges,
                                                   struct flatend_context *context)
{
    struct addon_exchange *exchange = addon_exchanges_add_call(exchanges);

    if (exchange == NULL) {
        return NULL;
    }
    if (!addon_map_insert(&exchanges->by_context, context_key(context), exchange)) {
        addon_exchanges_remove(exchanges, exchange);
        return NULL;
    }
    exchange->context = context;
    return exchange;
}

struct addon_exchange *addon_exchanges_find(const struct addon_exchanges *exchanges, uint64_t id)
{
    return addon_map_find(&exchanges->by_id, id);
}

struct addon_exchange *addon_exchanges_find_request(const struct addon_exchanges *exchanges,
                                                    const struct flatend_context *context)
{
    return addon_map_find(&exchanges->by_context, context_key(context));
}

void addon_exchanges_remove(struct addon_exchanges *exchanges, struct addon_exchange *exchange)
{
    (void)addon_map_remove(&exchanges->by_id, exchange->id);
    if (exchange->context != NULL) {
        (void)addon_map_remove(&exchanges->by_context, context_key(exchange->context));
    }
    give_back(exchanges, exchange);
}

void addon_exchanges_end(struct addon_exchanges *exchanges)
{
    struct addon_exchange *exchange;

    while ((exchange = addon_map_first(&exchanges->by_id)) != NULL) {
        struct flatend_context *context = exchange->context;
        struct flatend_stream *stream = exchange->stream;

        addon_exchanges_remove(exchanges, exchange);
        if (context != NULL) {
            (void)flatend_context_fail(context, 503, "the service is shutting down");
        }
        flatend_stream_close(stream);
    }
}

void addon_exchanges_deinit(struct addon_exchanges *exchanges)
{
    addon_exchanges_end(exchanges);
    while (exchanges->free != NULL) {
        struct addon_exchange *exchange = exchanges->free;

        exchanges->free = exchange->next;
        free(exchange);
    }
    addon_map_deinit(&exchanges->by_id);
    addon_map_deinit(&exchanges->by_context);
}
