// From an author's source to the body of a function: `export` and `import` are of modules, and there are none here. Every line stays where it is.

/** What the author's source is called. There is one in each instance. */
export let file = "main.js";

/** Says what it is called, before anything is said of it. */
export function callIt(name) {
  file = name;
}

/** What a handler may be called, in the order in which it is looked for; the first two are called as AWS Lambda calls its own. */
export const NAMES = ["handler", "main", "handle", "default"];

// The engine of the runner knows no `\p{…}`.
const WORD = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/y;
const DECLARED = /\s*(?:(?:async\s+)?function\b\s*\*?|class\b|const\b|let\b|var\b)\s*([A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*)?/y;
const LIST = /\s*\{([^}]*)\}(?!\s*from\b)[ \t]*;?/y;
const IMPORT = /\s*(?:\*\s*as\s+([\w$]+)|\{([^}]*)\}|([\w$]+))\s*from\s*(["'])codenode\4[ \t]*;?/y;
/** After these a `/` begins a regular expression; after anything else that is a word or a bracket's end it divides. */
const BEFORE_EXPRESSION = new Set(["return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "await", "yield"]);

/** What is wrong with a source, at an offset of it. Lines and columns count from 1, as the engine's do. */
export class Misplaced extends Error {
  constructor(message, source, offset) {
    super(message);
    const before = source.slice(0, offset).split("\n");
    this.lineNumber = before.length;
    this.columnNumber = before.at(-1).length + 1;
  }
}

/** The body of a function that takes `exports`, `module`, `require` and `codenode`. Throws `Misplaced`. */
export function body(source) {
  const edits = [], exported = [];
  for (const { word, start, end } of words(source, ["export", "import"])) {
    if (word === "export") edits.push(withoutExport(source, start, end, exported));
    else if (word === "import") edits.push(withoutImport(source, start, end));
  }
  let made = "", done = 0;
  for (const { start, end, text } of edits) {
    const lines = source.slice(start, end).split("\n").length - text.split("\n").length;
    made += source.slice(done, start) + text + "\n".repeat(Math.max(0, lines));
    done = end;
  }
  const set = exported.map(([name, as]) => `exports[${JSON.stringify(as)}] = ${name};`);
  // What is imported under such a name is none.
  const found = NAMES.filter((name) => name !== "default").map(
    (name) => `if (!("${name}" in module.exports) && typeof ${name} === "function" && ${name} !== codenode.${name}) module.exports.${name} = ${name};`,
  );
  return `${made}${source.slice(done)}\n;${set.join(" ")} if (typeof module.exports !== "function") { ${found.join(" ")} }`;
}

/** Where in an author's line is what is at a column of what became of it: words and signs are taken away and added, and stay in their order. */
export function columnIn(line, made, column) {
  const rest = made.slice(column - 1);
  if (line.endsWith(rest)) return line.length - rest.length + 1;
  let found = 0, next = 0;
  for (const { 0: part, index } of made.matchAll(/[\w$\u0080-\uffff]+|\S/g)) {
    if (index >= column) break;
    const at = line.indexOf(part, next);
    if (at >= 0) [found, next] = [at, at + part.length];
  }
  return found + 1;
}

function withoutExport(source, start, end, exported) {
  const list = at(LIST, source, end);
  if (list) {
    for (const item of list[1].split(",").map((item) => item.trim()).filter(Boolean)) {
      const [name, as] = item.split(/\s+as\s+/);
      exported.push([name, (as ?? name).replace(/^["']|["']$/g, "")]);
    }
    return { start, end: end + list[0].length, text: "" };
  }
  const isDefault = at(/\s+default\b/y, source, end);
  const from = end + (isDefault ? isDefault[0].length : 0);
  const declared = at(DECLARED, source, from);
  if (declared?.[1]) {
    exported.push([declared[1], isDefault ? "default" : declared[1]]);
    return { start, end: from, text: "" };
  }
  if (isDefault) return { start, end: from, text: "exports.default =" };
  throw new Misplaced("there are no other modules here: export a function, a class or a variable of this one", source, start);
}

function withoutImport(source, start, end) {
  const named = at(IMPORT, source, end);
  if (!named) throw new Misplaced('there are no modules here but "codenode"', source, start);
  const [all, whole, list, standard] = named;
  const names = list === undefined ? whole ?? standard : `{${list.replace(/\s+as\s+/g, ": ")}}`;
  return { start, end: end + all.length, text: `const ${names} = codenode;` };
}

function at(pattern, source, offset) {
  pattern.lastIndex = offset;
  return pattern.exec(source);
}

/** Those of these words that begin statements: not in comments, texts, templates or regular expressions, and no names of properties. `before` is the
 * word or the sign before one. */
export function* words(source, wanted) {
  const templates = [];
  let offset = 0, before = "";
  while (offset < source.length) {
    const char = source[offset], two = source.slice(offset, offset + 2);
    if (two === "//" || two === "/*") {
      const end = source.indexOf(two === "//" ? "\n" : "*/", offset + 2);
      offset = end < 0 ? source.length : end + (two === "//" ? 0 : 2);
    } else if (char === '"' || char === "'") {
      offset = closed(source, offset, char);
      before = ")";
    } else if (char === "`" || (char === "}" && templates.length > 0 && templates.at(-1) === 0)) {
      if (char === "}") templates.pop();
      offset = closed(source, offset, "`", "${");
      if (source[offset - 1] === "{") {
        templates.push(0);
        before = "{";
      } else before = ")";
    } else if (char === "/" && isExpressionAfter(before)) {
      offset = closedExpression(source, offset);
      before = ")";
    } else {
      const word = at(WORD, source, offset)?.[0];
      if (word) {
        const isStatement = before !== "." && !at(/\s*[:.(=,]/y, source, offset + word.length);
        if (wanted.includes(word) && isStatement) yield { word, before, start: offset, end: offset + word.length };
        offset += word.length;
        before = word;
      } else {
        if (templates.length > 0 && (char === "{" || char === "}")) templates[templates.length - 1] += char === "{" ? 1 : -1;
        if (!/\s/.test(char)) before = char;
        offset += 1;
      }
    }
  }
}

/** Behind the end of a text or of a part of a template. */
function closed(source, start, end, other) {
  for (let offset = start + 1; offset < source.length; offset += 1) {
    if (source[offset] === "\\") offset += 1;
    else if (source[offset] === end) return offset + 1;
    else if (other && source.startsWith(other, offset)) return offset + other.length;
    else if (!other && source[offset] === "\n") return offset;
  }
  return source.length;
}

function closedExpression(source, start) {
  let inClass = false;
  for (let offset = start + 1; offset < source.length && source[offset] !== "\n"; offset += 1) {
    const char = source[offset];
    if (char === "\\") offset += 1;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) return offset + 1;
  }
  return start + 1;
}

function isExpressionAfter(before) {
  return before === "" || BEFORE_EXPRESSION.has(before) || /^[^\w$\u0080-\uffff)\]}.]$/.test(before);
}
