// What people set for a node: values of its own or of all its tenant's nodes, and those that a revision brings along. Granted per revision: `config` for what
// is no secret, and `secret:KEY` for each secret. The host is asked each time, so a change is seen by the next question.

import { host, Refusal } from "./host.js";
import { kind, messageOf } from "./shown.js";

/** Why there is no value: `missing` is not set, or not granted to the node's revision; `unreadable` is not what it was read as; `failed` is the host's. */
export type Reason = "missing" | "unreadable" | "failed";

/** Why there is no value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly reason: Reason;

  constructor(reason: Reason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The value of a key, if one is set and granted: a text as it is, and a number, a boolean, a list or an object as JSON. Throws {@link ConfigError} if the host
 * cannot say. */
export function get(key: string): string | undefined {
  if (typeof key !== "string") throw new TypeError(`config: a key is a string, not ${kind(key)}`);
  return told(`config ${key}`, () => host().config(key));
}

/** The value of a key that must be there, as text. Throws {@link ConfigError}: one that is missing says how it is set and granted. */
export function text(key: string): string {
  const value = get(key);
  if (value !== undefined) return value;
  throw new ConfigError(
    "missing",
    `${key} is not set, or not granted: \`codenode config set ${key} VALUE\`, and grant \`config\`; for a secret \`--secret\`, and \`secret:${key}\``,
  );
}

/** The value of a key, if there is one, read as JSON. Throws {@link ConfigError} if it is none. */
export function read(key: string): unknown {
  const value = get(key);
  try {
    return value === undefined ? undefined : JSON.parse(value);
  } catch (error) {
    throw new ConfigError("unreadable", `config ${key}: its value cannot be read as JSON: ${messageOf(error)}`);
  }
}

/** All values that are set, by their keys, but for secrets. None without the grant `config`. Throws {@link ConfigError} if the host cannot say. */
export function all(): Record<string, string> {
  return Object.fromEntries(told("config", () => host().allConfig()));
}

function told<T>(what: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (error instanceof Refusal) throw new ConfigError("failed", `${what}: ${error.message}`);
    throw error;
  }
}
