// What went wrong, for the author: one line for the bot break, and the author's own frames for the log. Lines are those of the author's sources: what bundles
// them says of each line of the bundle where it comes from.

import { BotError } from "./error.js";
import { isQuickJs } from "./host.js";
import * as log from "./log.js";
import { what } from "./shown.js";
import { cut, wellFormed } from "./text.js";

/** How an error begins that is for want of memory, as `codenode:node/code-node` says. The host believes it where it refused some. */
const OUT_OF_MEMORY = "out of memory: ";
const MAX_LINE_CHARS = 1000;
const MAX_FRAMES = 20;
/** Of QuickJS, `    at share (/node.js:10:9)`, and of SpiderMonkey, `share@node.js:10:9`. */
const FRAME = /^(?:\s*at (.*?)\s*\(?|(?:async\*)?(.*)@)(?:[^()@\s]*?):(\d+):\d+\)?$/u;

interface Place {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

/** Of a bundle: its author's sources, and for each of its lines the number of a source and the line there, where it is an author's. */
export interface Lines {
  readonly files: readonly string[];
  readonly lines: readonly (readonly [file: number, line: number] | null)[];
}

declare global {
  // eslint-disable-next-line no-var
  var __codenode_lines: Lines | undefined;
}

/** What the host is told of an error: `main.ts:7 in share: TypeError: …`, begun with `out of memory: ` if the limit is to blame, or the message of a
 * {@link BotError} as it stands. The author's frames are logged. */
export function failed(error: unknown): string {
  let line: string | undefined;
  try {
    if (error instanceof BotError) return detail(error);
    const places = placesOf(error);
    line = begun(error) + shortened(placeOf(places) + what(error));
    log.critical(withFrames(error, places));
  } catch (another) {
    // Telling it takes memory, too.
    line ??= `${begun(another)}what went wrong cannot be told`;
  }
  return line;
}

/** The same without a place, and nothing is logged. */
export function detail(error: unknown): string {
  return shortened(error instanceof BotError ? error.message : what(error));
}

/** How an error begins, if it is the engine's that it is out of memory. SpiderMonkey throws a text, and QuickJS null if there is no memory for an error. */
export function begun(error: unknown): string {
  const isOutOfMemory =
    error instanceof Error ? error.name === "InternalError" && error.message === "out of memory" : error === "out of memory" || (error === null && isQuickJs());
  return isOutOfMemory ? OUT_OF_MEMORY : "";
}

function placeOf([first]: Place[]): string {
  return first === undefined ? "" : `${first.file}:${first.line}${first.name === "" ? "" : ` in ${first.name}`}: `;
}

function withFrames(error: unknown, places: Place[]): string {
  const frames = places.slice(0, MAX_FRAMES).map(({ name, file, line }) => `    at ${name || file} (${file}:${line})`);
  const cause = error instanceof Error && error.cause !== undefined ? [`caused by: ${what(error.cause)}`] : [];
  return [what(error), ...frames, ...cause].join("\n");
}

function placesOf(error: unknown): Place[] {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : "";
  return stack.split("\n").flatMap((text) => {
    const found = FRAME.exec(text);
    const at = found === null ? null : (globalThis.__codenode_lines?.lines[Number(found[3]) - 1] ?? null);
    const file = at === null ? undefined : globalThis.__codenode_lines?.files[at[0]];
    if (found === null || at === null || file === undefined) return [];
    const name = (found[1] ?? found[2] ?? "").replace(/[/<]+$/u, "");
    return [{ name: name === "<anonymous>" ? "" : name, file, line: at[1] }];
  });
}

/** In one line, cut to what a record of a run shows. */
export function shortened(text: string): string {
  return wellFormed(cut(text.split(/\s+/u).filter(Boolean).join(" "), MAX_LINE_CHARS));
}
