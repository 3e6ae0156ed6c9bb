// What went wrong, for the author: one line for the bot break, and the author's own frames for the log.

import { FILE } from "./source.js";

const UPSTREAM = "upstream: ";
const MAX_LINE_CHARS = 1000;
const MAX_FRAMES = 20;
const FRAME = new RegExp(`^(?:async\\*)?(.*)@${FILE.replace(".", "\\.")}:(\\d+):(\\d+)$`, "u");

/** Failures of services that `fetch` told of. */
const ofServices = new WeakSet();

/** There is no reply; its text is the answer to the host. */
export class Failed extends Error {}

export function isOfAService(error) {
  ofServices.add(error);
  return error;
}

/** How the error begins, if a service is to blame. */
export function upstream(error) {
  return error instanceof Error && ofServices.has(error) ? UPSTREAM : "";
}

/** `main.js:7 in share: TypeError: …`, the author's innermost line. */
export function line(error) {
  const [frame] = frames(error);
  const place = frame ? `${FILE}:${frame.line}${frame.name ? ` in ${frame.name}` : ""}` : FILE;
  return shortened(`${place}: ${what(error)}`);
}

/** With the author's lines, the innermost first. `head` is how far columns of the first line are moved. */
export function told(error, source, head) {
  const lines = source.split("\n");
  const places = frames(error).slice(0, MAX_FRAMES).map(({ name, line, column }) => {
    const at = `    at ${name || "main.js itself"} (${FILE}:${line}:${line === 1 ? Math.max(1, column - head) : column})`;
    const shown = lines[line - 1]?.trim();
    return shown ? `${at}\n        ${shown}` : at;
  });
  const cause = error instanceof Error && error.cause !== undefined ? [`caused by: ${what(error.cause)}`] : [];
  return [what(error), ...places, ...cause].join("\n");
}

export function shortened(text) {
  const one = text.split(/\s+/u).filter(Boolean).join(" ");
  return one.length <= MAX_LINE_CHARS ? one : `${one.slice(0, MAX_LINE_CHARS - 1)}…`;
}

/** `7 (number)`, for messages. */
export function kind(value) {
  if (value === undefined || value === null) return String(value);
  let shown;
  try {
    shown = typeof value === "function" ? value.name : JSON.stringify(value) ?? String(value);
  } catch {
    shown = "what cannot be shown";
  }
  return `${shown.length <= 60 ? shown : `${shown.slice(0, 59)}…`} (${Array.isArray(value) ? "array" : typeof value})`;
}

function what(error) {
  if (!(error instanceof Error)) return `${kind(error)} was thrown, which is no Error`;
  return `${error.name}${error.message ? `: ${error.message}` : ""}`;
}

function frames(error) {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : "";
  return stack.split("\n").flatMap((text) => {
    const found = FRAME.exec(text);
    return found ? [{ name: found[1].replace(/[/<]+$/u, ""), line: Number(found[2]), column: Number(found[3]) }] : [];
  });
}
