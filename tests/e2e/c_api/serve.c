/* Example: `return flatend_serve(` */
#define main example_main
#include "example.c"
#undef main
#include "mesh.h"

int main(void)
{
    expect_program(example_main, "Hello world!\n");
    return 0;
}
