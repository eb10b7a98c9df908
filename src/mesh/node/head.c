#include "mesh/node/head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "ground/base/token.h"

enum {
    TIMEOUT_DIGITS_MAX = 10, /* of milliseconds: 115 days */
    HEADERS_MIN = 8,         /* room for the first headers of a response */
    STATUS_SIZE = 7 + 3,     /* ":status" and its three digits, without their lengths */
    /* Headers besides `:status`: what a peer takes in a large head. */
    HEADERS_MAX = 4096 - 1,
};

/* What a response to one kind of peer may have, as it is encoded. */
struct limits {
    size_t overhead; /* lengths of name and value */
    size_t name_max;
    size_t size_max; /* of all headers but `:status` */
};

static struct limits limits_of(const struct fe_response_head *head)
{
    static const struct limits ordinary = {
        .overhead = 1 + 2,
        .name_max = UINT8_MAX,
        .size_max = FE_HEAD_PACKET_MAX - FE_HEAD_PREFIX - (1 + 2 + STATUS_SIZE),
    };
    static const struct limits large = {
        .overhead = FE_HEAD_LONG_OVERHEAD,
        .name_max = UINT16_MAX,
        .size_max = FE_HEAD_MAX - FE_HEAD_PREFIX - (FE_HEAD_LONG_OVERHEAD + STATUS_SIZE),
    };

    return head->is_long ? large : ordinary;
}

int fe_received_head_init(struct fe_received_head *head, struct fe_arena *arena,
                          struct fe_headers headers)
{
    uint8_t *bytes = fe_arena_alloc(arena, headers.bytes.len + 1);
    struct fe_header header;
    const size_t n_max = headers.n;
    uint8_t *end = bytes;

    *head = (struct fe_received_head){0};
    head->headers = fe_arena_alloc(arena, (headers.n + 1U) * sizeof(*head->headers));
    if (bytes == NULL || head->headers == NULL) {
        return FLATEND_ENOMEM;
    }
    /* Behind each name and each value stands a length: once that was read, there is room for the
     * NUL. So one copy of the bytes is all it takes. `end` is where the last value's NUL goes. */
    if (headers.bytes.len > 0) {
        memcpy(bytes, headers.bytes.ptr, headers.bytes.len);
    }
    headers.bytes.ptr = bytes;
    while (fe_headers_next(&headers, &header)) {
        uint8_t *name = bytes + (header.name.ptr - bytes);

        FE_ASSERT(head->n < n_max, "headers are as many as they say");
        if (memchr(name, '\0', header.name.len) != NULL) {
            continue; /* to C it would be another name, which its sender must not give perhaps */
        }
        *end = '\0';
        end = bytes + (header.value.ptr - bytes) + header.value.len;
        name[header.name.len] = '\0';
        head->headers[head->n++] = (struct flatend_header){
            .name = (const char *)name,
            .value = (const char *)header.value.ptr,
            .value_len = header.value.len,
        };
    }
    *end = '\0';
    return 0;
}

/* Names that only this node may give. The first letter rules nearly all others out. */
static bool is_of_peer(const char *name)
{
    static const char prefix[] = "peer.";

    return fe_ascii_lower((uint8_t)name[0]) == 'p' &&
           strncasecmp(name, prefix, sizeof(prefix) - 1) == 0;
}

void fe_received_head_set_peer_id(struct fe_received_head *head, const char *key)
{
    size_t n = 0;

    for (size_t i = 0; i < head->n; i++) {
        if (!is_of_peer(head->headers[i].name)) {
            head->headers[n++] = head->headers[i];
        }
    }
    if (key != NULL) {
        head->headers[n++] =
            (struct flatend_header){.name = "peer.id", .value = key, .value_len = strlen(key)};
    }
    head->n = n;
}

uint64_t fe_received_head_timeout(const struct fe_received_head *head)
{
    const struct flatend_header *header = fe_received_head_find(head, "timeout-ms");
    uint64_t ms = 0;

    if (header == NULL || header->value_len < 1 || header->value_len > TIMEOUT_DIGITS_MAX) {
        return UINT64_MAX;
    }
    for (size_t i = 0; i < header->value_len; i++) {
        if (header->value[i] < '0' || header->value[i] > '9') {
            return UINT64_MAX;
        }
        ms = ms * 10 + (uint64_t)(header->value[i] - '0');
    }
    return ms;
}

const struct flatend_header *fe_received_head_find(const struct fe_received_head *head,
                                                   const char *name)
{
    for (size_t i = head->n; i > 0; i--) {
        if (strcmp(head->headers[i - 1].name, name) == 0) {
            return &head->headers[i - 1];
        }
    }
    return NULL;
}

int fe_received_head_status(const struct fe_received_head *head)
{
    const struct flatend_header *header = fe_received_head_find(head, ":status");
    int status = 0;

    if (header == NULL || header->value_len != 3) {
        return FE_HEAD_STATUS_DEFAULT;
    }
    for (size_t i = 0; i < header->value_len; i++) {
        if (header->value[i] < '0' || header->value[i] > '9') {
            return FE_HEAD_STATUS_DEFAULT;
        }
        status = status * 10 + (header->value[i] - '0');
    }
    return status >= FE_HEAD_STATUS_MIN && status <= FE_HEAD_STATUS_MAX ? status
                                                                        : FE_HEAD_STATUS_DEFAULT;
}

/* ---- responses ---- */

void fe_response_head_init(struct fe_response_head *head, struct fe_arena *arena, uint32_t peer_max)
{
    *head = (struct fe_response_head){
        .arena = arena, .status = FE_HEAD_STATUS_DEFAULT, .is_long = peer_max >= FE_HEAD_MAX};
}

static size_t size_of(const struct fe_response_head *head, const struct fe_header *header)
{
    return limits_of(head).overhead + header->name.len + header->value.len;
}

static int grow(struct fe_response_head *head)
{
    size_t cap = head->cap == 0 ? HEADERS_MIN : head->cap * 2;
    struct fe_header *headers;

    if (head->n < head->cap) {
        return 0;
    }
    headers = fe_arena_alloc(head->arena, cap * sizeof(*headers));
    if (headers == NULL) {
        return FLATEND_ENOMEM;
    }
    if (head->n > 0) {
        memcpy(headers, head->headers, head->n * sizeof(*headers));
    }
    head->headers = headers;
    head->cap = cap;
    return 0;
}

const char *fe_head_copy_name(struct fe_arena *arena, struct fe_view name)
{
    char *copy = fe_arena_copy(arena, name);

    if (copy != NULL) {
        fe_ascii_lower_all(copy, name.len);
    }
    return copy;
}

/* A checked copy of name and value. */
static int make_header(struct fe_response_head *head, const char *name, const char *value,
                       struct fe_header *header)
{
    const struct limits limits = limits_of(head);

    if (name == NULL || value == NULL) {
        return FLATEND_EINVAL;
    }
    header->name = fe_view_str(name);
    header->value = fe_view_str(value);
    /* What begins with a colon is ours to say: `:status`. */
    if (header->name.len > limits.name_max || !fe_is_header_name(header->name) ||
        header->name.ptr[0] == ':' || !fe_is_field_value(header->value)) {
        return FLATEND_EINVAL;
    }
    if (size_of(head, header) > limits.size_max) {
        return FLATEND_ETOOBIG;
    }
    header->name.ptr = (const uint8_t *)fe_head_copy_name(head->arena, header->name);
    header->value.ptr = (const uint8_t *)fe_arena_copy(head->arena, header->value);
    return header->name.ptr != NULL && header->value.ptr != NULL ? 0 : FLATEND_ENOMEM;
}

static int append(struct fe_response_head *head, const struct fe_header *header)
{
    int code;

    if (size_of(head, header) > limits_of(head).size_max - head->size || head->n >= HEADERS_MAX) {
        return FLATEND_ETOOBIG;
    }
    code = grow(head);
    if (code != 0) {
        return code;
    }
    FE_ASSERT(head->n < head->cap, "a header has room");
    head->headers[head->n++] = *header;
    head->size += size_of(head, header);
    return 0;
}

int fe_response_head_add(struct fe_response_head *head, const char *name, const char *value)
{
    struct fe_header header;
    int code = make_header(head, name, value, &header);

    return code != 0 ? code : append(head, &header);
}

/* The header takes the place of the first of its name; the others go. */
int fe_response_head_set(struct fe_response_head *head, const char *name, const char *value)
{
    struct fe_header header;
    size_t replaced = 0;
    size_t n = 0;
    int code = make_header(head, name, value, &header);

    if (code != 0) {
        return code;
    }
    for (size_t i = 0; i < head->n; i++) {
        if (fe_view_equal(head->headers[i].name, header.name)) {
            replaced += size_of(head, &head->headers[i]);
        }
    }
    if (replaced == 0) {
        return append(head, &header);
    }
    FE_ASSERT(replaced <= head->size, "the size is that of all headers");
    if (size_of(head, &header) > limits_of(head).size_max - (head->size - replaced)) {
        return FLATEND_ETOOBIG;
    }
    head->size = head->size - replaced + size_of(head, &header);
    for (size_t i = 0; i < head->n; i++) {
        if (!fe_view_equal(head->headers[i].name, header.name)) {
            head->headers[n++] = head->headers[i];
        } else if (replaced > 0) {
            head->headers[n++] = header;
            replaced = 0;
        }
    }
    head->n = n;
    return 0;
}

void fe_response_head_clear(struct fe_response_head *head)
{
    head->n = 0;
    head->size = 0;
}

int fe_response_head_finish(struct fe_response_head *head)
{
    int code;

    if (head->status == FE_HEAD_STATUS_DEFAULT) {
        return 0;
    }
    code = grow(head);
    if (code != 0) {
        return code;
    }
    (void)snprintf(head->status_text, sizeof(head->status_text), "%3d", head->status);
    FE_ASSERT(head->n < head->cap, "a header has room");
    head->headers[head->n++] =
        (struct fe_header){FE_VIEW_LIT(":status"), fe_view_str(head->status_text)};
    head->status = FE_HEAD_STATUS_DEFAULT;
    return 0;
}
