// What went wrong, for the author: one line for the bot break, and the author's own frames for the log.

import { begun, shortened, what } from "codenode";
import { columnIn, file } from "./source.js";

const UPSTREAM = "upstream: ";
const MAX_FRAMES = 20;
const FRAME = /^(?:async\*)?(.*)@([\w.-]+):(\d+):(\d+)$/u;

/** Failures of services that `fetch` told of. */
const ofServices = new WeakSet();

/** There is no reply; its text is the answer to the host. */
export class Failed extends Error {}

export function isOfAService(error) {
  ofServices.add(error);
  return error;
}

/** `main.js:7 in share: TypeError: …`, the author's innermost line, begun with what is to blame if the handler is not. */
export function line(error) {
  const [frame] = frames(error);
  const place = frame ? `${file}:${frame.line}${frame.name ? ` in ${frame.name}` : ""}` : file;
  const starved = begun(error);
  const why = starved && !(error instanceof Error) ? "the engine had no more memory" : what(error);
  return (starved || upstream(error)) + shortened(`${place}: ${why}`);
}

function upstream(error) {
  return error instanceof Error && ofServices.has(error) ? UPSTREAM : "";
}

/** With the author's lines, the innermost first. `made` is what became of the source; `head` is how far columns of the first line are moved. */
export function told(error, source, made, head) {
  const [lines, madeLines] = [source.split("\n"), made.split("\n")];
  const places = frames(error).slice(0, MAX_FRAMES).map(({ name, line, column }) => {
    const shown = lines[line - 1] ?? "";
    const at = columnIn(shown, madeLines[line - 1] ?? "", line === 1 ? Math.max(1, column - head) : column);
    const place = `    at ${name || `${file} itself`} (${file}:${line}:${at})`;
    return shown.trim() ? `${place}\n        ${shown.trim()}` : place;
  });
  const cause = error instanceof Error && error.cause !== undefined ? [`caused by: ${what(error.cause)}`] : [];
  return [what(error), ...places, ...cause].join("\n");
}

function frames(error) {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : "";
  return stack.split("\n").flatMap((text) => {
    const found = FRAME.exec(text);
    if (found?.[2] !== file) return [];
    return [{ name: found[1].replace(/[/<]+$/u, ""), line: Number(found[3]), column: Number(found[4]) }];
  });
}
