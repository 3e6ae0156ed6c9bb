// JSON that every reader takes, and that says what was meant.

import { wellFormed } from "./text.js";

/** Each escape of a JSON text; half of a surrogate pair by its number. Whole pairs are written as they are. */
const ESCAPE = /\\(?:u(d[89a-f][0-9a-f]{2})|.)/gu;

/** The JSON text of a value, if it has one, with U+FFFD for each half of a surrogate pair. Throws `TypeError` for what JSON cannot say; numbers that are not
 * finite, too: `JSON.stringify` makes null of them, which is something else. */
export function jsonOf(value: unknown): string | undefined {
  const text: string | undefined = JSON.stringify(value, finite);
  if (text === undefined) return undefined;
  return wellFormed(text.includes("\\ud") ? text.replace(ESCAPE, (escape, half?: string) => (half === undefined ? escape : "\ufffd")) : text);
}

function finite(key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw new TypeError(`${key === "" ? "it" : key} is ${value}, and JSON has no such number`);
}
