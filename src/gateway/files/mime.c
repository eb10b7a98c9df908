#include "gateway/files/mime.h"

#include "ground/base/ascii.h"
#include "ground/base/assert.h"

#define UTF8 "; charset=utf-8"

struct mime {
    const char *extension;
    const char *type;
};

/* Sorted by extension. Types as registered with IANA; text is taken to be UTF-8. */
static const struct mime MIMES[] = {
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"apng", "image/apng"},
    {"atom", "application/atom+xml"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"bz2", "application/x-bzip2"},
    {"cjs", "text/javascript" UTF8},
    {"css", "text/css" UTF8},
    {"csv", "text/csv" UTF8},
    {"epub", "application/epub+zip"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html" UTF8},
    {"html", "text/html" UTF8},
    {"ico", "image/x-icon"},
    {"ics", "text/calendar" UTF8},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript" UTF8},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"jxl", "image/jxl"},
    {"m4a", "audio/mp4"},
    {"m4v", "video/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown" UTF8},
    {"mjs", "text/javascript" UTF8},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"rss", "application/rss+xml"},
    {"rtf", "application/rtf"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"toml", "application/toml"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain" UTF8},
    {"vtt", "text/vtt" UTF8},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "application/xml"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};

enum { EXTENSION_MAX = 11 };

/* The extension in lower case, without its dot; empty if there is none. */
static void extension_of(struct fe_view path, char extension[EXTENSION_MAX + 1])
{
    size_t start = path.len;
    size_t n = 0;

    while (start > 0 && path.ptr[start - 1] != '.' && path.ptr[start - 1] != '/') {
        start--;
    }
    if (start > 0 && path.ptr[start - 1] == '.' && path.len - start <= EXTENSION_MAX) {
        for (; start < path.len; start++) {
            FE_ASSERT(n < EXTENSION_MAX, "an extension fits");
            extension[n++] = (char)fe_ascii_lower(path.ptr[start]);
        }
    }
    extension[n] = '\0';
}

struct fe_view fe_mime_type(struct fe_view path)
{
    char extension[EXTENSION_MAX + 1];
    size_t low = 0;
    size_t high = sizeof(MIMES) / sizeof(MIMES[0]);

    extension_of(path, extension);
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const int order = strcmp(extension, MIMES[middle].extension);
        if (order == 0) {
            return fe_view_str(MIMES[middle].type);
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return FE_VIEW_LIT("application/octet-stream");
}
