// What authors expect without an import, where an engine does not have it: `console` always, for its lines go to the log, and UTF-8.

import * as log from "./log.js";
import { messageOf } from "./shown.js";
import { decoded, encoded, replaced } from "./text.js";

const CONSOLE = { trace: log.trace, debug: log.debug, log: log.info, info: log.info, warn: log.warn, error: log.error };

/** What UTF-8 may be called, but for names of the last century: https://encoding.spec.whatwg.org/#names-and-labels */
const LABELS = ["utf-8", "utf8"];

/** Puts them where they are looked for. */
export function installGlobals(): void {
  const given: Record<string, unknown> = globalThis as never;
  given["console"] = Object.assign(given["console"] ?? {}, CONSOLE);
  given["TextEncoder"] ??= TextEncoder;
  given["TextDecoder"] ??= TextDecoder;
}

/** The web's, but for `encodeInto`: https://encoding.spec.whatwg.org/#interface-textencoder */
export class TextEncoder {
  readonly encoding = "utf-8";

  encode(text = ""): Uint8Array {
    return encoded(String(text));
  }
}

/** The web's, for UTF-8 alone and for bytes that are all there: https://encoding.spec.whatwg.org/#interface-textdecoder */
export class TextDecoder {
  readonly encoding = "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;

  /** Throws `RangeError` for another encoding. */
  constructor(label = "utf-8", { fatal = false, ignoreBOM = false }: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
    if (!LABELS.includes(String(label).trim().toLowerCase())) throw new RangeError(`${label}: only utf-8 is known here`);
    this.fatal = Boolean(fatal);
    this.ignoreBOM = Boolean(ignoreBOM);
  }

  /** Throws `TypeError` for what are no bytes and, if it is fatal, for what is no UTF-8. */
  decode(input: unknown = new Uint8Array(), { stream = false }: { stream?: boolean } = {}): string {
    if (stream) throw new TypeError("TextDecoder knows no `stream` here: decode all of the bytes at once");
    const bytes = bytesOf(input);
    const text = this.fatal ? fatally(bytes) : replaced(bytes);
    return text.startsWith("\ufeff") && !this.ignoreBOM ? text.slice(1) : text;
  }
}

function bytesOf(input: unknown): Uint8Array {
  if (input instanceof ArrayBuffer) return new Uint8Array(input);
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  throw new TypeError("TextDecoder decodes an ArrayBuffer, or a view of one");
}

function fatally(bytes: Uint8Array): string {
  try {
    return decoded(bytes);
  } catch (error) {
    throw new TypeError(`the bytes cannot be decoded: ${messageOf(error)}`);
  }
}
