// What a node says, in the words of people who do not program: texts by their keys, in many languages, which they edit while the node serves. A revision reads
// them if it is granted `kv:messages`. For `hi-IN` that is the text for `hi-IN`, else the one for `hi`, else the one without a language.

import { Bucket, KvError } from "./bucket.js";
import { messageOf } from "./shown.js";
import { decoded } from "./text.js";

const MAX_LANGUAGE_BYTES = 35;

/** Nobody has written it. */
export class MissingMessage extends Error {
  override readonly name = "MissingMessage";
}

/** The texts for one language, opened once for all that a run says. */
export class Messages {
  readonly #bucket = new Bucket("messages");
  readonly #endings: string[];

  /** What is no language's tag counts as none; `hi_IN` is taken for `hi-IN`. Throws `KvError` without the grant `kv:messages`. */
  constructor(language?: string | null) {
    this.#endings = endings(language);
  }

  /** The text of a message. Throws {@link MissingMessage}, and `KvError` if it could not be read. */
  text(key: string): string {
    const names = this.#endings.map((ending) => key + ending);
    const found = this.#bucket.getMany(names).find((value) => value !== undefined);
    if (found !== undefined) return read(key, found);
    const language = (this.#endings[0] ?? "").slice(1);
    const place = language === "" ? "" : ` in ${language}, nor one without a language`;
    throw new MissingMessage(`there is no message ${key}${place}: add it with \`codenode message set ${key} TEXT\``);
  }
}

/** The messages of the tenant for a language. */
export function open(language?: string | null): Messages {
  return new Messages(language);
}

/** The text of a message for a language; without one, the text without a language. Throws {@link MissingMessage}, and `KvError`. */
export function text(key: string, language?: string | null): string {
  return open(language).text(key);
}

/** Puts values in their places: `{order}` becomes `values.order`. A place of another name stays as it is, and nothing is sought in values. */
export function fill(words: string, values: Readonly<Record<string, unknown>>): string {
  return words.replace(/\{([^{}]*)\}/gu, (place, name: string) => (Object.hasOwn(values, name) ? String(values[name]) : place));
}

function read(key: string, words: Uint8Array): string {
  try {
    return decoded(words);
  } catch (error) {
    throw new KvError("unreadable", `kv:messages ${key}: it cannot be read as text: ${messageOf(error)}`);
  }
}

/** `/hi-IN`, `/hi` and nothing: as RFC 4647 (3.4) looks languages up. */
export function endings(language?: string | null): string[] {
  const tag = String(language ?? "").replaceAll("_", "-");
  if (tag.length > MAX_LANGUAGE_BYTES || !/^[A-Za-z0-9-]+$/u.test(tag)) return [""];
  const parts = tag.split("-");
  const found: string[] = [];
  while (parts.length > 0 && parts.join("") !== "") {
    found.push(`/${parts.join("-")}`);
    parts.pop();
    // What a part of one letter announces is gone.
    while (parts.length > 1 && (parts.at(-1) ?? "").length <= 1) parts.pop();
  }
  return [...found, ""];
}
