// The runner for handlers in JavaScript: the component of the world `codenode:node/runner`.

import * as codenode from "codenode";
import { Failed, line, shortened, told, upstream } from "./parts/failures.js";
import { call, find, named, text } from "./parts/handler.js";
import { uncaught } from "./parts/globals.js";
import { FILE, Misplaced, body } from "./parts/source.js";

/** How a program begins, before the body of a function in UTF-8. */
const MAGIC = "codenode javascript 1\n";
const NAMED = `\n//# sourceURL=${FILE}`;
/** On the source's first line, where it moves columns. */
const HEAD = "(async function (exports, module, require, codenode) { ";

export function compile(source) {
  const clean = source.replace(/^\uFEFF/, "").replace(/^#!.*/, "");
  let made;
  try {
    made = body(clean);
    // Parsed, and not called.
    (0, eval)(`${HEAD}${made}\n})${NAMED}`);
  } catch (error) {
    throw refusal(error, clean);
  }
  return new TextEncoder().encode(MAGIC + JSON.stringify([clean, made]));
}

export async function run(program, event, context) {
  const kept = new TextDecoder().decode(program);
  if (!kept.startsWith(MAGIC)) throw "the program is of another runner: compile the source again";
  const [source, made] = JSON.parse(kept.slice(MAGIC.length));
  try {
    const module = { exports: {} };
    const loaded = (0, eval)(`${HEAD}${made}\n})${NAMED}`)(module.exports, module, required, codenode);
    await Promise.race([loaded, uncaught]);
    const [name, handler] = find(module.exports);
    return text(named(name, source), await Promise.race([call(name, handler, event, JSON.parse(context)), uncaught]));
  } catch (error) {
    if (error instanceof Failed) throw error.message;
    if (error instanceof codenode.BotError) throw shortened(error.message);
    codenode.log.critical(told(error, source, HEAD.length));
    throw upstream(error) + line(error);
  }
}

function required(name) {
  if (name === "codenode") return codenode;
  throw new Error(`there is no module ${name} here`);
}

/** `main.js:3:7: SyntaxError: …`, the line and a caret. */
function refusal(error, source) {
  let at;
  if (error instanceof Misplaced) {
    const before = source.slice(0, error.offset).split("\n");
    at = { line: before.length, column: before.at(-1).length + 1 };
  } else if (error instanceof SyntaxError && error.lineNumber) {
    at = { line: error.lineNumber, column: error.columnNumber - (error.lineNumber === 1 ? HEAD.length : 0) };
  } else {
    return `${FILE}: ${error instanceof RangeError || error.name === "InternalError" ? "the source is nested too deeply, or too large" : error}`;
  }
  const lines = source.trimEnd().split("\n");
  const isBehind = at.line > lines.length;
  const number = isBehind ? lines.length : at.line;
  const shown = lines[number - 1].replaceAll("\t", " ");
  const column = isBehind ? shown.length + 1 : Math.max(1, Math.min(at.column, shown.length + 1));
  const why = isBehind ? "the source ends too early" : error.message;
  return `${FILE}:${number}:${column}: SyntaxError: ${why}\n    ${shown}\n    ${" ".repeat(column - 1)}^`;
}
