// Log lines that the host keeps with the run, one for each line of a text.

import { host } from "./host.js";

/** For the finest grain. */
export function trace(message: unknown): void {
  host().log("trace", String(message));
}

/** For whoever debugs the handler. */
export function debug(message: unknown): void {
  host().log("debug", String(message));
}

/** The course of a good run. */
export function info(message: unknown): void {
  host().log("info", String(message));
}

/** Something looks wrong, and the run goes on. */
export function warn(message: unknown): void {
  host().log("warn", String(message));
}

/** Something failed. */
export function error(message: unknown): void {
  host().log("error", String(message));
}

/** The handler cannot go on. */
export function critical(message: unknown): void {
  host().log("critical", String(message));
}
