// What people set for a node: values of its own or of all its tenant's nodes, and those that a revision brings along. Granted per revision: `config` for what
// is no secret, and `secret:KEY` for each secret. The host is asked each time, so a change is seen by the next question.

import { host } from "./host.js";
import { messageOf } from "./shown.js";

/** There is no such value, or none of this form. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The value of a key, if one is set and granted: a text as it is, and a number, a boolean, a list or an object as JSON. */
export function get(key: string): string | undefined {
  return host().config(key);
}

/** The value of a key that must be there, as text. Throws {@link ConfigError}, which says how it is set and granted. */
export function text(key: string): string {
  const value = get(key);
  if (value !== undefined) return value;
  throw new ConfigError(
    `${key} is not set, or not granted: \`codenode config set ${key} VALUE\`, and grant \`config\`; for a secret \`--secret\`, and \`secret:${key}\``,
  );
}

/** The value of a key, if there is one, read as JSON. Throws {@link ConfigError} if it is none. */
export function read(key: string): unknown {
  const value = get(key);
  try {
    return value === undefined ? undefined : JSON.parse(value);
  } catch (error) {
    throw new ConfigError(`config ${key}: its value cannot be read as JSON: ${messageOf(error)}`);
  }
}

/** All values that are set, by their keys, but for secrets. None without the grant `config`. */
export function all(): Record<string, string> {
  return Object.fromEntries(host().allConfig());
}
