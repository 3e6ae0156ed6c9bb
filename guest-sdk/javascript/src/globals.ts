// What authors expect without an import, where an engine does not have it: `console` always, for its lines go to the log, and UTF-8.

import * as log from "./log.js";
import { decoded, encoded } from "./text.js";

const LEVELS = { trace: log.trace, debug: log.debug, log: log.info, info: log.info, warn: log.warn, error: log.error };

/** Puts them where they are looked for. */
export function installGlobals(): void {
  const given: Record<string, unknown> = globalThis as never;
  const lines = Object.entries(LEVELS).map(([name, write]) => [name, (...values: unknown[]) => write(values.map(shown).join(" "))]);
  given["console"] = Object.assign(given["console"] ?? {}, Object.fromEntries(lines));
  given["TextEncoder"] ??= class TextEncoder {
    readonly encoding = "utf-8";
    encode(text = ""): Uint8Array {
      return encoded(String(text));
    }
  };
  given["TextDecoder"] ??= class TextDecoder {
    readonly encoding = "utf-8";
    decode(bytes: Uint8Array = new Uint8Array()): string {
      return decoded(bytes);
    }
  };
}

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value === null || typeof value !== "object") return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
