// How values and errors are shown to authors, in log lines and in messages.

import { cut } from "./text.js";

const MAX_KIND_CHARS = 60;
const NOT_SHOWN = "what cannot be shown";

/** As `console` writes it: a text as it is, an error in one line, and anything else as JSON where it has some. */
export function shown(value: unknown): string {
  try {
    if (typeof value === "string") return value;
    if (value instanceof Error) return what(value);
    return (typeof value === "object" ? JSON.stringify(value) : undefined) ?? String(value);
  } catch {
    return withoutJson(value);
  }
}

/** `7 (number)`, for messages. */
export function kind(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  let text: string;
  try {
    text = typeof value === "function" ? value.name : (JSON.stringify(value) ?? String(value));
  } catch {
    text = NOT_SHOWN;
  }
  return `${cut(text, MAX_KIND_CHARS)} (${Array.isArray(value) ? "array" : typeof value})`;
}

/** `TypeError: …`, or what was thrown in the place of an error. */
export function what(error: unknown): string {
  if (!(error instanceof Error)) return `${kind(error)} was thrown, which is no Error`;
  return `${error.name}${error.message === "" ? "" : `: ${error.message}`}`;
}

/** Why something failed, without its name. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : shown(error);
}

/** Of what leads back to itself, or has something in it that JSON does not know. */
function withoutJson(value: unknown): string {
  try {
    return String(value);
  } catch {
    return NOT_SHOWN;
  }
}
