#include "mesh/wire/event.h"

#include "mesh/wire/cursor.h"

/* Of a large head. */
static bool next_long(struct fe_headers *headers, struct fe_header *header)
{
    struct fe_reader reader = fe_reader_of(headers->bytes);

    header->name = fe_read_bytes(&reader, fe_read_u16(&reader));
    header->value = fe_read_bytes(&reader, fe_read_u32(&reader));
    headers->bytes = fe_view_of(reader.ptr, reader.left);
    headers->n--;
    return !reader.is_failed;
}

bool fe_headers_next(struct fe_headers *headers, struct fe_header *header)
{
    struct fe_reader reader = fe_reader_of(headers->bytes);

    if (headers->n == 0) {
        return false;
    }
    if (headers->is_long) {
        return next_long(headers, header);
    }
    header->name = fe_read_bytes(&reader, fe_read_u8(&reader));
    header->value = fe_read_bytes(&reader, fe_read_u16(&reader));
    headers->bytes = fe_view_of(reader.ptr, reader.left);
    headers->n--;
    return !reader.is_failed;
}

bool fe_names_next(struct fe_names *names, struct fe_view *name)
{
    struct fe_reader reader = fe_reader_of(names->bytes);

    if (names->n == 0) {
        return false;
    }
    *name = fe_read_bytes(&reader, names->is_long ? fe_read_u16(&reader) : fe_read_u8(&reader));
    names->bytes = fe_view_of(reader.ptr, reader.left);
    names->n--;
    return !reader.is_failed;
}

bool fe_offers_next(struct fe_offers *offers, struct fe_offer *offer)
{
    struct fe_reader reader = fe_reader_of(offers->bytes);

    if (offers->n == 0) {
        return false;
    }
    offer->name = fe_read_bytes(&reader, fe_read_u8(&reader));
    offer->weight = fe_read_u16(&reader);
    offers->bytes = fe_view_of(reader.ptr, reader.left);
    offers->n--;
    return !reader.is_failed;
}

int fe_reason_code(uint32_t reason, bool has_responded)
{
    switch (reason) {
    case FE_REASON_REFUSED:
        return has_responded ? FLATEND_ERESET : FLATEND_EUNHANDLED;
    case FE_REASON_TIMEOUT:
        return FLATEND_ETIMEDOUT;
    case FE_REASON_TOO_LARGE:
        return FLATEND_ETOOBIG;
    case FE_REASON_DENIED:
        return FLATEND_EDENIED;
    default:
        return FLATEND_ERESET;
    }
}

const char *fe_reason_text(uint32_t reason)
{
    static const char *const texts[] = {
        [FE_REASON_NONE] = "no error",           [FE_REASON_CANCEL] = "canceled",
        [FE_REASON_REFUSED] = "refused",         [FE_REASON_TIMEOUT] = "timed out",
        [FE_REASON_INTERNAL] = "internal error", [FE_REASON_TOO_LARGE] = "too large",
        [FE_REASON_FLOW] = "flow control error", [FE_REASON_PROTOCOL] = "protocol error",
        [FE_REASON_DENIED] = "not allowed",
    };

    return reason < sizeof(texts) / sizeof(texts[0]) ? texts[reason] : "unknown reason";
}
