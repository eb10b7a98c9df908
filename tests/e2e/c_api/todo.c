/* Example: `static void todo(` */
#include "example.c"
#include "mesh.h"

int main(void)
{
    const struct flatend_header headers[] = {
        {.name = ":path", .value = "/todos/7", .value_len = 8},
        {.name = "params.id", .value = "7", .value_len = 1},
        {.name = "cookie", .value = "a=b; user=kim", .value_len = 13},
        {.name = "query.form", .value = "short", .value_len = 5},
    };
    struct flatend_request request = {.headers = headers, .n_headers = 4};
    struct mesh mesh = mesh_start("todo", todo, NULL);
    struct flatend_response *response = ask_service(mesh.requester, "todo", &request);

    EXPECT(response->status == 200);
    EXPECT(response->n_headers > 0);
    EXPECT(strcmp(response->headers[0].name, "content-type") == 0);
    EXPECT(strcmp(response->headers[0].value, "application/json") == 0);
    flatend_response_free(response);
    expect_response(mesh.requester, "todo", &request, 200, "{\"id\":\"7\",\"short\":true}");
    request.n_headers = 3;
    expect_response(mesh.requester, "todo", &request, 200, "{\"id\":\"7\",\"short\":false}");
    request.n_headers = 2;
    expect_response(mesh.requester, "todo", &request, 403,
                    "{\"title\":\"Forbidden\",\"status\":403,\"detail\":\"log in to /todos/7\"}\n");
    mesh_stop(&mesh);
    return 0;
}
