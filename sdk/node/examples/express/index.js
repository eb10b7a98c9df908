"use strict";
const { Node, fromHttp } = require("flatend");
const express = require("express");
const app = express();

app.use(express.json());
app.get("/", (req, res) => res.send("Hello from Express"));
app.get("/users/:id", (req, res) => res.json({ id: req.params.id }));
app.post("/users", (req, res) => res.status(201).json(req.body));

async function main() {
    const node = await Node.start({
        addrs: (process.env.FLATEND_ADDRS ?? "127.0.0.1:9000").split(/[\s,]+/),
        services: { site: fromHttp(app) },
    });
    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.once(signal, () => node.shutdown());
    }
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
