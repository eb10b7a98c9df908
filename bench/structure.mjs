// What scripts/measure-structure prints: the structure of a tree, read from its sources alone, so that any two
// commits can be compared, whatever their rooms are called.
//
//     node bench/structure.mjs [--list] [TREE]
//
// A room is a folder below src that holds .c files itself. Lines are physical lines. A function runs from the
// first line of its signature to its closing brace; only definitions count.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, sep } from "node:path";

const SOURCES = /\.(c|cpp|h|inc|def)$/;
const ASSERTS = /\b(?:assert|FE_ASSERT(?:_[A-Z_]+)?)\s*\(/g;
const DUPLICATE_LINES = 8; // fewer are the shape of the language: includes, loops, a switch
const KEYWORDS = new Set(("if else for while do switch case default return break continue goto struct enum union " +
    "static const inline void bool char int unsigned size_t ssize_t uint8_t uint16_t uint32_t uint64_t int64_t " +
    "sizeof NULL true false").split(" "));
const EXACT_ROOMS = 16; // more rooms in one circle are not worth 2^n steps

// Comments become blanks, and with `strings` what is in literals too. Every line stays where it was.
function blank(text, strings) {
    const token = /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'/g;
    return text.replace(token, (match) => {
        if (match[0] !== "/" && !strings) {
            return match;
        }
        const inside = match.replace(/[^\n]/g, " ");
        return match[0] === "/" ? inside : match[0] + inside.slice(2) + match[0];
    });
}

const blankDirectives = (code) =>
    code.replace(/^[ \t]*#(?:\\\n|[^\n])*/gm, (match) => match.replace(/[^\n]/g, " "));

const lineAt = (text, position) => text.slice(0, position).split("\n").length;

// The top-level pairs of parentheses in `text`, as [first, last].
function parentheses(text) {
    const pairs = [];
    let depth = 0;
    for (let i = 0; i < text.length; i++) {
        if (text[i] === "(" && depth++ === 0) {
            pairs.push([i, i]);
        } else if (text[i] === ")" && --depth === 0) {
            pairs.at(-1)[1] = i;
        }
    }
    return pairs;
}

function countParameters(list) {
    const pairs = parentheses(list);
    const isNested = (i) => pairs.some(([first, last]) => first < i && i < last);
    const names = [...list.matchAll(/,/g)].map(({ index }) => index).filter((i) => !isNested(i));
    const parts = [...names, list.length].map((end, i) => list.slice(i ? names[i - 1] + 1 : 0, end).trim());
    return parts.filter((part) => part !== "" && part !== "void" && part !== "...").length;
}

// What stands in front of a brace outside of every function: { name, parameters } if it is a signature.
function signature(text) {
    let outside = text;
    let found = null;
    for (const [first, last] of parentheses(text)) {
        const name = text.slice(0, first).match(/([A-Za-z_]\w*)\s*$/)?.[1];
        outside = outside.slice(0, first) + " ".repeat(last + 1 - first) + outside.slice(last + 1);
        if (name && !/^(__attribute__|noexcept|alignas|_Alignas)$/.test(name)) {
            found = { name, parameters: countParameters(text.slice(first + 1, last)) };
        }
    }
    return outside.includes("=") ? null : found;
}

// The functions defined in `code` (blanked): [{ name, parameters, line, lines }].
function functions(code) {
    const found = [];
    const scopes = []; // for each open brace: what ends with it
    let start = 0; // of what stands in front of the next brace
    const isOutside = () => scopes.every((scope) => scope === "transparent");
    for (const { 0: brace, index } of code.matchAll(/[{};]/g)) {
        if (brace === "{") {
            const front = code.slice(start, index);
            const isTransparent = /\bnamespace\b[^()=]*$|\bextern\s*"[^"]*"\s*$/.test(front);
            if (!isOutside()) {
                scopes.push("block");
            } else if (isTransparent) {
                scopes.push("transparent");
            } else {
                const line = lineAt(code, start + front.search(/\S/));
                scopes.push({ line, ...signature(front) });
            }
        } else if (brace === "}") {
            const scope = scopes.pop();
            if (scope?.name) {
                found.push({ ...scope, lines: lineAt(code, index) - scope.line + 1 });
            }
        }
        if (isOutside()) {
            start = index + 1;
        }
    }
    return found;
}

// Lines that say something, for finding them elsewhere: [{ text, line }].
function significantLines(code) {
    return code.split("\n")
        .map((text, i) => ({ text: text.trim().replace(/\s+/g, " "), line: i + 1 }))
        .filter(({ text }) => /\w/.test(text) && !/^# ?include\b/.test(text));
}

// The same but for names: each becomes the number of its first appearance in these lines.
function rename(lines) {
    const names = new Map();
    return lines.replace(/"(?:\\.|[^"\\])*"|[A-Za-z_]\w*/g, (word) => {
        if (word[0] === '"' || KEYWORDS.has(word)) {
            return word;
        }
        if (!names.has(word)) {
            names.set(word, names.size);
        }
        return `$${names.get(word)}`;
    });
}

function read(src, path) {
    const text = readFileSync(join(src, path), "utf8");
    const plain = blank(text, false);
    const code = blankDirectives(blank(text, true));
    return {
        path,
        lines: text.split("\n").length - 1,
        asserts: (code.match(ASSERTS) ?? []).length,
        includes: [...plain.matchAll(/^[ \t]*#[ \t]*include[ \t]*"([^"]+)"/gm)]
            .map((match) => ({ header: match[1], line: lineAt(plain, match.index + match[0].search(/\S/)) })),
        functions: functions(code),
        significant: significantLines(plain),
    };
}

// Every source below `src`, with its room and with the files that it includes.
function readTree(src) {
    const paths = readdirSync(src, { recursive: true })
        .map((path) => path.split(sep).join("/"))
        .filter((path) => SOURCES.test(path))
        .sort();
    const files = new Map(paths.map((path) => [path, read(src, path)]));
    const rooms = new Set(paths.filter((path) => path.endsWith(".c")).map((path) => dirname(path)));
    for (const file of files.values()) {
        file.room = dirname(file.path);
        // A folder with nothing but headers belongs to the room around it.
        for (let folder = file.room; folder !== "."; folder = dirname(folder)) {
            if (rooms.has(folder)) {
                file.room = folder;
                break;
            }
        }
        file.includes = file.includes.flatMap(({ header, line }) => {
            const beside = posix.join(dirname(file.path), header);
            const path = [header, beside].find((candidate) => files.has(candidate)) ??
                paths.find((candidate) => candidate.endsWith(`/${header}`));
            return path ? [{ path, line }] : []; // else it is include/flatend.h
        });
    }
    return [...files.values()];
}

// Strongly connected components of more than one node; `edges` is a map of sets.
function circles(edges) {
    const order = new Map(); // node: when it was found
    const low = new Map();
    const open = [];
    const found = [];
    const visit = (node) => {
        order.set(node, order.size);
        low.set(node, order.get(node));
        open.push(node);
        for (const next of edges.get(node) ?? []) {
            if (!order.has(next)) {
                visit(next);
                low.set(node, Math.min(low.get(node), low.get(next)));
            } else if (open.includes(next)) {
                low.set(node, Math.min(low.get(node), order.get(next)));
            }
        }
        if (low.get(node) === order.get(node)) {
            const component = open.splice(open.indexOf(node));
            if (component.length > 1) {
                found.push(component.sort());
            }
        }
    };
    for (const node of edges.keys()) {
        if (!order.has(node)) {
            visit(node);
        }
    }
    return found;
}

// The graph of includes between what `name` makes of files; files without a name are left out.
function graph(files, name) {
    const edges = new Map();
    const byPath = new Map(files.map((file) => [file.path, file]));
    for (const file of files) {
        const from = name(file);
        if (from === null) {
            continue;
        }
        if (!edges.has(from)) {
            edges.set(from, new Set());
        }
        for (const { path } of file.includes) {
            const to = name(byPath.get(path));
            if (to !== null && to !== from) {
                edges.get(from).add(to);
            }
        }
    }
    return edges;
}

// The order of `rooms`, the top one first, in which the fewest includes run upward. `weight(a, b)` is how often a
// includes b. Best orders of ever larger sets: the room that is added stands below all others of the set.
function bestOrder(rooms, weight) {
    if (rooms.length > EXACT_ROOMS) {
        return rooms;
    }
    const best = [{ cost: 0, order: [] }];
    for (let set = 1; set < 1 << rooms.length; set++) {
        for (const [i, room] of rooms.entries()) {
            if (!(set & (1 << i))) {
                continue;
            }
            const above = best[set & ~(1 << i)];
            const cost = above.cost + above.order.reduce((sum, other) => sum + weight(room, other), 0);
            if (best[set] === undefined || cost < best[set].cost) {
                best[set] = { cost, order: [...above.order, room] };
            }
        }
    }
    return best.at(-1).order;
}

// Includes that run upward: the fewest that would have to go for the rooms to stand above one another.
function upward(files) {
    const roomOf = new Map(files.map((file) => [file.path, file.room]));
    const between = files.flatMap((file) => file.includes.map(({ path, line }) =>
        ({ from: file.room, to: roomOf.get(path), what: `${file.path}:${line}: ${path}` })));
    return circles(graph(files, (file) => file.room)).flatMap((rooms) => {
        const weight = (a, b) => between.filter(({ from, to }) => from === a && to === b).length;
        const order = bestOrder(rooms, weight);
        return between.filter(({ from, to }) => order.includes(from) && order.includes(to) &&
            order.indexOf(from) > order.indexOf(to));
    }).map(({ what }) => what);
}

// Runs of lines that stand in an earlier file too, each as long as it goes: "a.c:10 and b.c:30: 12 lines".
// `linesOf` a file are compared, each DUPLICATE_LINES of them as `normalize` makes them.
function duplicates(files, linesOf, normalize) {
    const seen = new Map(); // window: [{ file, lines, windows, i }], of earlier files
    const found = [];
    for (const file of files) {
        const lines = linesOf(file);
        const windows = lines.slice(DUPLICATE_LINES - 1).map((_, i) =>
            normalize(lines.slice(i, i + DUPLICATE_LINES).map(({ text }) => text).join("\n")));
        for (let i = 0; i < windows.length; i++) {
            const runs = (seen.get(windows[i]) ?? []).map((other) => {
                let n = 1;
                while (i + n < windows.length && windows[i + n] === other.windows[other.i + n]) {
                    n++;
                }
                return { n, place: `${other.file.path}:${other.lines[other.i].line}` };
            });
            const run = largest(runs, "n");
            if (run !== null) {
                const length = run.n + DUPLICATE_LINES - 1;
                found.push(`${run.place} and ${file.path}:${lines[i].line}: ${length} lines`);
                i += length - 1;
            }
        }
        for (const [i, window] of windows.entries()) {
            seen.set(window, [...(seen.get(window) ?? []), { file, lines, windows, i }]);
        }
    }
    return found;
}

// Declarations resemble one another by nature; bodies that do are one function twice.
const linesInFunctions = (file) => file.significant.filter(({ line }) =>
    file.functions.some((one) => one.line <= line && line < one.line + one.lines));

function largest(list, key) {
    return list.reduce((best, one) => (one[key] > (best?.[key] ?? -1) ? one : best), null);
}

function row(name, files) {
    const lines = files.reduce((sum, file) => sum + file.lines, 0);
    const asserts = files.reduce((sum, file) => sum + file.asserts, 0);
    const file = largest(files, "lines");
    const all = files.flatMap((one) => one.functions);
    const longest = largest(all, "lines");
    const parameters = largest(all, "parameters");
    const cells = [
        name,
        files.length,
        lines,
        `${file.lines} ${posix.basename(file.path)}`,
        longest ? `${longest.lines} ${longest.name}` : "",
        parameters ? `${parameters.parameters} ${parameters.name}` : "",
        asserts,
        ((asserts * 1000) / lines).toFixed(1),
    ];
    return `| ${cells.join(" | ")} |`;
}

function main(args) {
    const isListed = args[0] === "--list";
    const tree = args[isListed ? 1 : 0] ?? ".";
    const files = readTree(join(tree, "src"));
    const rooms = [...new Set(files.map(({ room }) => room))].sort();
    const stem = (file) => file.path.replace(SOURCES, "");
    const counts = [
        ["includes that run upward", upward(files)],
        ["circles between rooms", circles(graph(files, ({ room }) => room)).map((names) => names.join(" "))],
        ["circles between headers", circles(graph(files, ({ path }) => (/\.h$/.test(path) ? path : null)))
            .map((names) => names.join(" "))],
        ["circles between files (a.c and a.h are one)", circles(graph(files, stem)).map((names) => names.join(" "))],
        [`duplicates of ${DUPLICATE_LINES} lines or more`,
            duplicates(files, ({ significant }) => significant, (lines) => lines)],
        ["the same under other names, in functions", duplicates(files, linesInFunctions, rename)],
    ];
    console.log([
        "| room | files | lines | longest file | longest function | most parameters | asserts | per 1,000 lines |",
        "|---|---:|---:|---|---|---|---:|---:|",
        ...rooms.map((room) => row(room, files.filter((file) => file.room === room))),
        row("**all**", files),
        "",
        "| | |",
        "|---|---:|",
        ...counts.map(([what, list]) => `| ${what} | ${list.length} |`),
    ].join("\n"));
    for (const [what, list] of isListed ? counts : []) {
        console.log(`\n${what}:\n${list.map((one) => `- ${one}`).join("\n") || "- none"}`);
    }
}

main(process.argv.slice(2));
