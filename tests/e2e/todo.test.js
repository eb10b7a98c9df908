// The todo example: its API, and its page in a browser.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { example, Gateway, repository, scratch } from "./lib/mesh.js";
import { request } from "./lib/http.js";

const page = join(repository, "examples/todo/public");
const routes = [
    { path: "GET /", static: page },
    { path: "GET /todos", service: "all_todos" },
    { path: "POST /todos", service: "add_todo" },
    { path: "DELETE /todos/:id", service: "remove_todo" },
    { path: "POST /todos/:id/done", service: "done_todo" },
    { path: "GET /todos/add/:content", service: "add_todo" },
    { path: "GET /todos/remove/:id", service: "remove_todo" },
    { path: "GET /todos/done/:id", service: "done_todo" },
];

async function start(t, args = []) {
    const gateway = await Gateway.start(t, { routes });
    const service = await example(t, "todo", gateway, { service: "all_todos", args });
    return { gateway, service };
}

async function ask(gateway, method, path, body) {
    const response = await request(gateway.url(path), { method, body });
    assert.equal(response.status, 200, response.body);
    assert.equal(response.headers["content-type"], "application/json");
    return JSON.parse(Buffer.from(response.body, "latin1").toString("utf8"));
}

test("the API adds, lists, completes and removes", async (t) => {
    const { gateway } = await start(t);
    assert.deepEqual(await ask(gateway, "GET", "/todos"), []);
    const body = JSON.stringify({ content: "crème brûlée; DROP TABLE todo" });
    assert.deepEqual(await ask(gateway, "POST", "/todos", body), { lastInsertRowid: 1, changes: 1 });
    assert.deepEqual(await ask(gateway, "GET", "/todos/add/buy%20milk"), { lastInsertRowid: 2, changes: 1 });
    assert.equal((await ask(gateway, "POST", "/todos/1/done")).changes, 1);
    assert.deepEqual(await ask(gateway, "GET", "/todos"), [
        { id: 1, content: "crème brûlée; DROP TABLE todo", state: "done" },
        { id: 2, content: "buy milk", state: "" },
    ]);
    assert.equal((await ask(gateway, "DELETE", "/todos/1")).changes, 1);
    assert.equal((await ask(gateway, "GET", "/todos/done/2")).changes, 1);
    assert.equal((await ask(gateway, "GET", "/todos/remove/2")).changes, 1);
    assert.equal((await ask(gateway, "GET", "/todos/remove/2")).changes, 0);
    assert.deepEqual(await ask(gateway, "GET", "/todos"), []);
});

test("the list comes in pages", async (t) => {
    const { gateway } = await start(t);
    const ids = (response) => JSON.parse(response.body).map(({ id }) => id);
    for (let i = 0; i < 5; i++) {
        await ask(gateway, "POST", "/todos", JSON.stringify({ content: `todo ${i}` }));
    }
    const pages = [];
    for (let path = "/todos?limit=2"; path;) {
        const response = await request(gateway.url(path));
        pages.push(ids(response));
        path = response.headers.link?.match(/^<(.*)>; rel="next"$/)[1];
    }
    assert.deepEqual(pages, [[1, 2], [3, 4], [5]]);
    assert.deepEqual(ids(await request(gateway.url("/todos?limit=0"))), []);
    for (const query of ["limit=1001", "limit=-1", "after=x", "after=99999999999999999999", "limit="]) {
        const response = await request(gateway.url(`/todos?${query}`));
        assert.equal(response.status, 400, query);
        assert.equal(response.headers["content-type"], "application/problem+json");
    }
});

test("the API refuses what is no todo", async (t) => {
    const { gateway } = await start(t);
    for (const body of ["", "{}", '{"content": 7}', '{"content": ""}', "not JSON", '{"content": "\xff"}',
        JSON.stringify({ content: "x".repeat(1025) })]) {
        const response = await request(gateway.url("/todos"), {
            method: "POST",
            body: Buffer.from(body, "latin1"),
        });
        assert.equal(response.status, 400, body);
        assert.match(JSON.parse(response.body).error, /content/);
    }
});

test("the list outlives the service", async (t) => {
    const args = ["-d", join(scratch(t), "todo.db")];
    const { gateway, service } = await start(t, args);
    await ask(gateway, "GET", "/todos/add/remember");
    await service.kill();
    await gateway.program.waitFor("has disconnected from you");
    await example(t, "todo", gateway, { service: "all_todos", args });
    assert.deepEqual(await ask(gateway, "GET", "/todos"), [{ id: 1, content: "remember", state: "" }]);
});

// The page in a headless Chromium, loaded, with an empty list.
async function openTab(t, gateway) {
    const browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
    t.after(() => browser.close());
    const tab = await browser.newPage();
    tab.complaints = [];
    tab.on("pageerror", (error) => tab.complaints.push(error.message));
    tab.on("console", (message) => {
        if (message.type() === "error") {
            tab.complaints.push(message.text());
        }
    });
    await tab.goto(gateway.url("/"));
    await tab.getByText("Nothing to do.").waitFor();
    return tab;
}

test("the page, in a browser", { timeout: 120_000 }, async (t) => {
    const { gateway } = await start(t);
    const tab = await openTab(t, gateway);
    const input = tab.getByLabel("What is to be done?");
    const add = async (content) => {
        await input.fill(content);
        await input.press("Enter");
        await tab.getByRole("listitem").filter({ hasText: content }).waitFor();
    };
    await add("buy milk");
    await add("<b>bold</b> & brave");
    assert.equal(await input.inputValue(), "");
    assert.equal(await tab.getByRole("listitem").count(), 2);

    await tab.getByRole("button", { name: "Done: buy milk" }).click();
    await tab.locator("li.is-done").filter({ hasText: "buy milk" }).waitFor();
    await tab.getByRole("button", { name: "Remove: <b>bold</b> & brave" }).click();
    await tab.getByRole("listitem").filter({ hasText: "brave" }).waitFor({ state: "detached" });

    await tab.reload();
    await tab.locator("li.is-done").filter({ hasText: "buy milk" }).waitFor();
    assert.deepEqual(await ask(gateway, "GET", "/todos"), [{ id: 1, content: "buy milk", state: "done" }]);
    await tab.getByRole("button", { name: "Remove: buy milk" }).click();
    await tab.getByText("Nothing to do.").waitFor();
    assert.deepEqual(tab.complaints, []);
});

test("the page says when the service is gone", { timeout: 120_000 }, async (t) => {
    const { gateway, service } = await start(t);
    const tab = await openTab(t, gateway);
    await service.stop();
    await gateway.program.waitFor("has disconnected from you");
    await tab.getByLabel("What is to be done?").fill("in vain");
    await tab.getByRole("button", { name: "Add" }).click();
    await tab.getByRole("status").filter({ hasText: "503" }).waitFor();
    assert.equal(await tab.getByLabel("What is to be done?").inputValue(), "in vain");
});
