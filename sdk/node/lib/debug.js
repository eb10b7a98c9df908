"use strict";
// Lines as the package "debug" prints them: DEBUG=flatend, patterns, and the time since the line before.
const tty = require("node:tty");

const NAMESPACE = "flatend";
const COLORS = [6, 2, 3, 4, 5, 1];

function environment(name) {
    try {
        return process.env[name] ?? "";
    } catch {
        return ""; // Deno without --allow-env
    }
}

function matches(pattern) {
    const source = pattern.split("*").map((text) => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${source.join(".*?")}$`).test(NAMESPACE);
}

// Whether "flatend" is among the `patterns`: "*", "fla*", "app,flatend", and not "*,-flatend".
function isEnabled(patterns) {
    const all = patterns.split(/[\s,]+/).filter(Boolean);
    const excluded = all.filter((pattern) => pattern[0] === "-").map((pattern) => pattern.slice(1));
    return !excluded.some(matches) && all.some((pattern) => pattern[0] !== "-" && matches(pattern));
}

function humanize(ms) {
    const units = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "m"], [1000, "s"]];
    const unit = units.find(([length]) => ms >= length);
    return unit ? `${Math.round(ms / unit[0])}${unit[1]}` : `${ms}ms`;
}

function color() {
    let hash = 0;
    for (const char of NAMESPACE) {
        hash = (hash << 5) - hash + char.charCodeAt(0);
        hash |= 0;
    }
    return COLORS[Math.abs(hash) % COLORS.length];
}

function wantsColors() {
    const said = environment("DEBUG_COLORS");
    if (/^(no|off|false|disabled|0)$/i.test(said)) {
        return false;
    }
    return said !== "" || tty.isatty(2);
}

const enabled = isEnabled(environment("DEBUG"));
let last = 0;

function format(text) {
    const now = Date.now();
    const passed = last === 0 ? 0 : now - last;
    last = now;
    if (!wantsColors()) {
        const date = environment("DEBUG_HIDE_DATE") ? "" : `${new Date(now).toISOString()} `;
        return `${date}${NAMESPACE} ${text}`;
    }
    const code = `\u001b[3${color()}`;
    return `  ${code};1m${NAMESPACE} \u001b[0m${text} ${code}m+${humanize(passed)}\u001b[0m`;
}

// Prints a line if DEBUG asks for it.
function debug(text) {
    if (enabled) {
        process.stderr.write(`${format(text)}\n`);
    }
}

debug.enabled = enabled;

module.exports = { debug, isEnabled, humanize };
