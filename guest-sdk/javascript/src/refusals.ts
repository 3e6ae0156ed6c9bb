// What an import throws. SpiderMonkey wraps the error of its WIT type, QuickJS throws it as it is.

import { Refusal } from "./host.js";

/** An error of `wasi:keyvalue` or `wasi:config`. */
export interface Reason {
  readonly tag: string;
  readonly val?: unknown;
}

/** Which error it is, if it is one of the host's. */
export function reasonOf(error: unknown): Reason | undefined {
  const thrown = typeof error === "object" && error !== null && "payload" in error ? error.payload : error;
  return typeof thrown === "object" && thrown !== null && "tag" in thrown && typeof thrown.tag === "string" ? (thrown as Reason) : undefined;
}

/** What the host answers. Throws {@link Refusal}; one that is for want of this grant says how it is given. */
export function told<T>(ask: () => T, grant?: string): T {
  try {
    return ask();
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    throw refusal(reason, grant);
  }
}

/** Why the host does not do it. */
export function refusal({ tag, val }: Reason, grant?: string): Refusal {
  if (tag === "access-denied") {
    const how = grant === undefined ? "" : `: grants = ["${grant}"] in node.toml, or --grant ${grant}`;
    return new Refusal(`it is not granted to this node${how}`, true);
  }
  return new Refusal(tag === "no-such-store" ? "the host has no such bucket" : String(val));
}
