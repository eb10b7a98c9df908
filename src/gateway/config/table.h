/* The keys as tables, and how a TOML table is read by one: type and bounds are checked, and each
 * value goes to its member, with messages that say where and what was expected. */
#ifndef FE_GATEWAY_CONFIG_TABLE_H
#define FE_GATEWAY_CONFIG_TABLE_H

#include "gateway/config/config.h"

/* A function that reads a part of the file notes each mistake of that part and goes on where it
 * can. It returns 0, FLATEND_ENOMEM, which ends the reading, or the code of a mistake; of a part
 * that has one, nothing is said that might only follow from it, such as that a key is missing. */
struct fe_config_reader {
    const char *path;       /* of the file, for messages */
    struct fe_arena *arena; /* the configuration's: what is read is copied there */
    struct fe_config_mistakes *mistakes;
};

/* The result of what was read so far, `code`, and of one more part, which is read by `call` unless
 * memory is short. */
#define FE_CONFIG_ALSO(code, call)                                                                 \
    ((code) == FLATEND_ENOMEM ? FLATEND_ENOMEM : fe_config_both(code, call))

static inline int fe_config_both(int a, int b)
{
    return a == 0 || b == FLATEND_ENOMEM ? b : a;
}

enum fe_key_type {
    FE_KEY_FLAG,
    FE_KEY_INTEGER,
    FE_KEY_FACTOR, /* an integer or a float; default and bounds are in hundredths */
    FE_KEY_DURATION,
    FE_KEY_SIZE,
    FE_KEY_STRING, /* not empty, without NUL; so are the texts of all types below */
    FE_KEY_PATH,   /* relative to the working directory */
    FE_KEY_URL,
    FE_KEY_ADDR,
    FE_KEY_VIEWS,
    FE_KEY_STRINGS,
    FE_KEY_ADDRS,
    FE_KEY_PUBLIC_KEYS,
    FE_KEY_HTTPS,
    FE_KEY_REDIRECT,
    FE_KEY_ACME_KEY_TYPE,
    FE_KEY_ACME_CHALLENGES,
    FE_KEY_TABLE,  /* read later, by a table of its own */
    FE_KEY_TABLES, /* an array of them */
};

struct fe_config_key {
    const char *prefix; /* the table's name and a dot: "http."; of the file: "" */
    const char *name;
    const char *singular; /* of a list: a key that adds one item; else NULL */
    enum fe_key_type type;
    uint64_t initial;           /* of numbers and flags */
    const char *initial_string; /* of strings */
    const char *initial_text;   /* the default as the documentation says it; NULL: the value */
    uint64_t min;               /* of numbers */
    uint64_t max;               /* of numbers, 0: the type's; of lists, how many, 0: any */
    const char *unit;           /* of what an integer counts */
    const char *noun;           /* in messages: "a number of threads"; of lists: "domains in ..." */
    const char *refusal;        /* the message for what is out of bounds, in place of ours */
    bool is_set;                /* a list in which repetitions count once */
    bool needs_https;           /* a mistake without */
    bool is_group_value;        /* may stand for its group: `timeout = "5s"` */
    const char *line;           /* what it is for: Markdown, of which the manual takes the words */
    size_t offset;              /* of the member in the object; of n_ and _pos, for lists */
    size_t n_offset;
    size_t pos_offset;
    size_t given_offset; /* of the pointer in the object's struct ..._given */
};

struct fe_config_table {
    const char *name; /* "http.routes"; "": the file */
    bool is_array;
    const struct fe_config_key *keys;
    size_t n_keys;
};

/* What of a table was given in the file: a struct with a pointer for each key, by the name of its
 * member, to the value in the tree; NULL: not given. */
#define FE_CONFIG_GIVEN(name, type, m, ...) const struct fe_toml_value *m;

struct fe_config_given {
    FE_CONFIG_TOP_KEYS(FE_CONFIG_GIVEN)
};
struct fe_config_acme_given {
    FE_CONFIG_ACME_KEYS(FE_CONFIG_GIVEN)
};
struct fe_config_mesh_given {
    FE_CONFIG_MESH_KEYS(FE_CONFIG_GIVEN)
};
struct fe_config_rule_given {
    FE_CONFIG_RULE_KEYS(FE_CONFIG_GIVEN)
};
struct fe_config_http_given {
    FE_CONFIG_HTTP_KEYS(FE_CONFIG_GIVEN)
};
struct fe_config_cert_given {
    FE_CONFIG_CERT_KEYS(FE_CONFIG_GIVEN)
};
struct fe_config_route_given {
    FE_CONFIG_ROUTE_KEYS(FE_CONFIG_GIVEN)
};

/* The tables, in the order of the documentation. */
enum fe_config_table_id {
    FE_TABLE_TOP,
    FE_TABLE_ACME,
    FE_TABLE_MESH,
    FE_TABLE_RULE,
    FE_TABLE_HTTP,
    FE_TABLE_CERT,
    FE_TABLE_ROUTE,
    FE_N_CONFIG_TABLES,
};

extern const struct fe_config_table FE_CONFIG_TABLES[FE_N_CONFIG_TABLES];

/* Sets the defaults of an object that is zero otherwise. */
void fe_config_set_defaults(const struct fe_config_table *table, void *object);

/* Sets the defaults, then reads each entry of `value` by its key into `object` and notes those
 * without a mistake in `given`, the struct of the table, which is zero before. FLATEND_EINVAL,
 * FLATEND_ENOMEM. */
int fe_config_read_table(const struct fe_config_reader *r, const struct fe_config_table *table,
                         const struct fe_toml_value *value, void *object, void *given) FE_MUST_USE;

/* Reads the value of one key: its type and bounds. The errors of fe_config_read_table. */
int fe_config_read_key(const struct fe_config_reader *r, const struct fe_config_key *key,
                       const struct fe_toml_value *value, void *object) FE_MUST_USE;

/* The same by the singular of a list: adds one item. */
int fe_config_add_item(const struct fe_config_reader *r, const struct fe_config_key *key,
                       const struct fe_toml_value *value, void *object) FE_MUST_USE;

/* The part of a key's name before its dot, if there is one. */
struct fe_view fe_config_key_group(const struct fe_config_key *key);

static inline bool fe_key_type_is_list(enum fe_key_type type)
{
    return type == FE_KEY_VIEWS || type == FE_KEY_STRINGS || type == FE_KEY_ADDRS ||
           type == FE_KEY_PUBLIC_KEYS;
}

/* The value that was given for a key, or NULL. */
static inline const struct fe_toml_value *fe_config_given(const void *given,
                                                          const struct fe_config_key *key)
{
    const struct fe_toml_value *value;
    memcpy(&value, (const char *)given + key->given_offset, sizeof(value));
    return value;
}

/* Where a value was given; for what was not, nowhere. */
static inline struct fe_toml_pos fe_config_pos(const struct fe_toml_value *given)
{
    return given != NULL ? given->pos : (struct fe_toml_pos){0, 0};
}

/* Notes a mistake, "path:line:column: ...", and returns `code`. */
int fe_config_fail(const struct fe_config_reader *r, int code, struct fe_toml_pos pos,
                   const char *format, ...) FLATEND_PRINTF(4, 5);
int fe_config_no_memory(const struct fe_config_reader *r);

#endif
