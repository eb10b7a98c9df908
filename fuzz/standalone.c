/* Runs a fuzz target over the files given as arguments: how gcc builds replay the seeds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    uint8_t *buf = malloc(INPUT_MAX);
    FILE *in = fopen(path, "rb");
    uint8_t *exact;
    size_t len;

    if (buf == NULL || in == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        free(buf);
        return 1;
    }
    len = fread(buf, 1, INPUT_MAX, in);
    fclose(in);
    /* Memory of exactly the input's size, so that a sanitizer sees what is read behind it. */
    exact = realloc(buf, len > 0 ? len : 1);
    if (exact == NULL) {
        free(buf);
        return 1;
    }
    (void)LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc < 2) {
        fprintf(stderr, "%s: no seeds\n", argv[0]);
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        failed |= replay(argv[i]);
    }
    return failed;
}
