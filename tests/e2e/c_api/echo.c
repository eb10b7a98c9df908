/* Example: `static void echo(` */
#include "example.c"
#include "mesh.h"

enum { LEN = 3 * 1024 * 1024 + 1 };

int main(void)
{
    struct mesh mesh = mesh_start("echo", echo, NULL);
    unsigned char *body = malloc(LEN);
    struct flatend_request request = {.body = body, .body_len = LEN};
    struct flatend_response *response;

    EXPECT(body != NULL);
    for (size_t i = 0; i < LEN; i++) {
        body[i] = (unsigned char)(i % 251);
    }
    response = ask_service(mesh.requester, "echo", &request);
    EXPECT(response->body_len == LEN && memcmp(response->body, body, LEN) == 0);
    flatend_response_free(response);
    mesh_stop(&mesh);
    free(body);
    return 0;
}
