"use strict";

const list = document.getElementById("list");
const empty = document.getElementById("empty");
const status = document.getElementById("status");
const form = document.getElementById("add");
const input = document.getElementById("content");
const template = document.getElementById("item");

// Asks the service; what goes wrong is shown to the person and thrown to the caller.
async function ask(method, path, body) {
    const response = await fetch(path, {
        method,
        headers: body ? { "content-type": "application/json" } : {},
        body: body ? JSON.stringify(body) : undefined,
    });
    const text = await response.text();
    if (!response.ok) {
        throw new Error(`${method} ${path}: ${response.status} ${text}`);
    }
    return JSON.parse(text);
}

function makeItem(todo) {
    const item = template.content.firstElementChild.cloneNode(true);
    const done = item.querySelector(".done");
    const remove = item.querySelector(".remove");

    item.dataset.id = todo.id;
    item.querySelector(".content").textContent = todo.content;
    if (todo.state === "done") {
        item.classList.add("is-done");
        done.remove();
    }
    done.setAttribute("aria-label", `Done: ${todo.content}`);
    remove.setAttribute("aria-label", `Remove: ${todo.content}`);
    done.addEventListener("click", () => change("POST", `/todos/${todo.id}/done`));
    remove.addEventListener("click", () => change("DELETE", `/todos/${todo.id}`));
    return item;
}

async function refresh() {
    const todos = await ask("GET", "/todos");
    list.replaceChildren(...todos.map(makeItem));
    empty.hidden = todos.length > 0;
}

// Makes one change and shows the list as it then is. True if both worked.
async function change(method, path, body) {
    try {
        await ask(method, path, body);
        await refresh();
        status.textContent = "";
        return true;
    } catch (error) {
        status.textContent = error.message;
        return false;
    }
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await change("POST", "/todos", { content: input.value.trim() })) {
        form.reset();
    }
    input.focus();
});

refresh().catch((error) => {
    status.textContent = error.message;
});
