// From TypeScript to JavaScript: types go, enumerations and properties of parameters are written out, and every line stays where it is. Nobody checks
// the types.

import SUCRASE from "sucrase.txt";
import { Misplaced, words } from "./source.js";

/** Classes and `?.` are the engine's own; only what is TypeScript's goes. */
const OPTIONS = { transforms: ["typescript"], disableESTransforms: true };
const NAMESPACE = /\b(?:namespace|module)\s+[\w$.]+\s*\{/g;

/** Whether a file of this name holds TypeScript. */
export function isTypeScript(name) {
  return /\.m?ts$/.test(name);
}

/** The same source in JavaScript. Throws `Misplaced`. */
export function withoutTypes(source) {
  refuseNamespaces(source);
  try {
    return library().transform(source, OPTIONS).code;
  } catch (error) {
    if (!(error instanceof SyntaxError) || typeof error.pos !== "number") throw error;
    throw new Misplaced(error.message.replace(/ \(\d+:\d+\)$/, ""), source, error.pos);
  }
}

/** As a text it is no part of what a run begins with, which would be a quarter larger. */
function library() {
  return (0, eval)(`${SUCRASE}\nsucrase`);
}

/** With its types a namespace would lose what is in it. */
function refuseNamespaces(source) {
  const found = new Set(Array.from(source.matchAll(NAMESPACE), ({ index }) => index));
  if (found.size === 0) return;
  for (const { word, before, start } of words(source, ["namespace", "module"])) {
    if (before !== "declare" && found.has(start)) {
      throw new Misplaced(`there is no ${word} here: write an object, or functions and variables`, source, start);
    }
  }
}
