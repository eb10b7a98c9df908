/* Memory that is given back after a burst: when that is worth it, and that it is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/server/trimmer.h"
#include "ground/os/heap.h"

enum { MIB = 1024 * 1024 };

static bool is_worth(uint64_t resident_mib, uint64_t in_use_mib)
{
    return fe_trim_is_worth(resident_mib * MIB, in_use_mib * MIB);
}

static void what_is_worth_it(void **state)
{
    (void)state;
    assert_true(is_worth(1900, 20));
    assert_true(is_worth(64, 32));
    assert_false(is_worth(63, 1));     /* small */
    assert_false(is_worth(100, 69));   /* less than 32 MiB */
    assert_false(is_worth(1000, 751)); /* less than a quarter */
    assert_true(is_worth(1000, 750));
    assert_false(is_worth(1000, 2000)); /* what is in use need not be resident */
}

static void the_system_says_how_large_the_process_is(void **state)
{
    const size_t size = 64 * (size_t)MIB;
    const uint64_t before = fe_heap_resident();
    char *const block = malloc(size);
    uint64_t in_use;

    (void)state;
    assert_non_null(block);
    assert_true(before > 0);
    memset(block, 1, size);
    assert_true(fe_heap_resident() >= before + size / 2);
    if (fe_heap_in_use(&in_use)) { /* not that of a sanitizer */
        assert_true(in_use >= size);
    }
    free(block);
    fe_heap_trim();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_worth_it),
        cmocka_unit_test(the_system_says_how_large_the_process_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
