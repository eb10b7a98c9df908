"use strict";
const { Node } = require("flatend");
const { open } = require("./database");

const PAGE = 100;
const db = open(process.env.TODO_DB ?? ":memory:");
db.exec("CREATE TABLE IF NOT EXISTS todo (id INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT, state TEXT)");
const statements = {
    all: db.prepare("SELECT id, content, state FROM todo WHERE id > ? ORDER BY id LIMIT ?"),
    add: db.prepare("INSERT INTO todo (content, state) VALUES (?, 'active')"),
    done: db.prepare("UPDATE todo SET state = 'done' WHERE id = ?"),
    remove: db.prepare("DELETE FROM todo WHERE id = ?"),
};

function fail(status, message) {
    throw Object.assign(new Error(message), { status });
}

function idOf(ctx) {
    return /^\d{1,15}$/.test(ctx.params.id) ? Number(ctx.params.id) : fail(400, "an id is a number");
}

function change(statement, ...values) {
    const { changes, lastInsertRowid } = statement.run(...values);
    return Number(changes) > 0 ? { id: Number(lastInsertRowid || values[0]) } : fail(404, "no such todo");
}

const services = {
    all_todos: (ctx) => statements.all.all(Number(ctx.query.after ?? 0) || 0, PAGE),
    done_todo: (ctx) => change(statements.done, idOf(ctx)),
    remove_todo: (ctx) => change(statements.remove, idOf(ctx)),
    async add_todo(ctx) {
        const text = (await ctx.body()).toString();
        let todo;
        try {
            todo = JSON.parse(text);
        } catch {
            fail(400, "the body must be JSON");
        }
        if (typeof todo?.content !== "string" || todo.content === "") {
            fail(400, "'content' must be a text");
        }
        ctx.status(201);
        const { lastInsertRowid } = statements.add.run(todo.content);
        return { id: Number(lastInsertRowid), content: todo.content, state: "active" };
    },
};

async function main() {
    const node = await Node.start({
        addrs: (process.env.FLATEND_ADDRS ?? "127.0.0.1:9000").split(/[\s,]+/),
        services,
    });
    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.once(signal, () => node.shutdown().then(() => db.close()));
    }
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
