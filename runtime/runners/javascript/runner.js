// The runner for handlers in JavaScript and TypeScript: the component of the world `codenode:node/runner`.

import * as codenode from "codenode";
import { Failed, line, told } from "./parts/failures.js";
import { call, find, named, text } from "./parts/handler.js";
import { uncaught } from "./parts/globals.js";
import { Misplaced, body, callIt, columnIn, file } from "./parts/source.js";
import { isTypeScript, withoutTypes } from "./parts/typescript.js";

/** How a program begins. Its name and the length of a function's body follow, that body, and the source, all of it in UTF-8. */
const MAGIC = "codenode javascript 3\n";
/** On the source's first line, where it moves columns. */
const HEAD = "(async function (exports, module, require, codenode) { ";

export function compile(name, source) {
  callIt(name);
  const clean = source.replace(/^\uFEFF/, "").replace(/^#!.*/, "");
  let made = clean;
  try {
    if (isTypeScript(name)) made = withoutTypes(made);
    made = body(made);
    // Parsed, and not called.
    evaluated(made);
  } catch (error) {
    throw refusal(error, clean, made);
  }
  return new TextEncoder().encode(`${MAGIC}${JSON.stringify([name, made.length])}\n${made}${clean}`);
}

export async function run(program, event, context) {
  const { name, made, source } = unpacked(program);
  callIt(name);
  try {
    const module = { exports: {} };
    await Promise.race([evaluated(made)(module.exports, module, required, codenode), uncaught]);
    const [called, handler] = find(module.exports);
    return text(() => named(called, source), await Promise.race([call(called, handler, event, JSON.parse(context)), uncaught]));
  } catch (error) {
    if (error instanceof Failed) throw error.message;
    if (error instanceof codenode.BotError) throw codenode.shortened(error.message);
    const said = line(error);
    try {
      codenode.log.critical(told(error, source, made, HEAD.length));
    } catch {
      // Telling it takes memory, too.
    }
    throw said;
  }
}

/** What a program is of. */
function unpacked(program) {
  const kept = new TextDecoder().decode(program);
  if (!kept.startsWith(MAGIC)) throw "the program is of another runner: compile the source again";
  const body = kept.indexOf("\n", MAGIC.length) + 1;
  const [name, length] = JSON.parse(kept.slice(MAGIC.length, body));
  return { name, made: kept.slice(body, body + length), source: kept.slice(body + length) };
}

/** The function whose body it is. */
function evaluated(made) {
  return (0, eval)(`${HEAD}${made}\n})\n//# sourceURL=${file}`);
}

function required(name) {
  if (name === "codenode") return codenode;
  throw new Error(`there is no module ${name} here`);
}

/** `main.js:3:7: SyntaxError: …`, the line and a caret. `made` is what had become of the source. */
function refusal(error, source, made) {
  if (!(error instanceof Misplaced) && !(error instanceof SyntaxError && error.lineNumber)) {
    return `${file}: ${error instanceof RangeError || error.name === "InternalError" ? "the source is nested too deeply, or too large" : error}`;
  }
  const moved = error instanceof SyntaxError && error.lineNumber === 1 ? HEAD.length : 0;
  const lines = source.trimEnd().split("\n");
  const isBehind = error.lineNumber > lines.length;
  const number = isBehind ? lines.length : error.lineNumber;
  const shown = lines[number - 1].replaceAll("\t", " ");
  const became = (made.split("\n")[number - 1] ?? "").replaceAll("\t", " ");
  const column = isBehind ? shown.length + 1 : columnIn(shown, became, Math.max(1, error.columnNumber - moved));
  const why = isBehind ? "the source ends too early" : error.message;
  return `${file}:${number}:${column}: SyntaxError: ${why}\n    ${shown}\n    ${" ".repeat(column - 1)}^`;
}
