// Log lines that the host keeps with the run, one for each line of a text. Whatever they are given stands in them as `console` writes it.

import { host, type Level } from "./host.js";
import { shown } from "./shown.js";

export type { Level } from "./host.js";

/** Logs this at a level. `context` groups lines that belong together. */
export function write(level: Level, context: string, ...values: unknown[]): void {
  host().log(level, String(context), values.map(shown).join(" "));
}

/** For the finest grain. */
export function trace(...values: unknown[]): void {
  write("trace", "", ...values);
}

/** For whoever debugs the handler. */
export function debug(...values: unknown[]): void {
  write("debug", "", ...values);
}

/** The course of a good run. */
export function info(...values: unknown[]): void {
  write("info", "", ...values);
}

/** Something looks wrong, and the run goes on. */
export function warn(...values: unknown[]): void {
  write("warn", "", ...values);
}

/** Something failed. */
export function error(...values: unknown[]): void {
  write("error", "", ...values);
}

/** The handler cannot go on. */
export function critical(...values: unknown[]): void {
  write("critical", "", ...values);
}
