// A bucket of entries, over what the host opens. `kv` says which there are.

import { host, Refusal, type OpenBucket } from "./host.js";
import { jsonOf } from "./json.js";
import { messageOf } from "./shown.js";
import { cut, decoded, encoded, wellFormed } from "./text.js";

const MAX_KEY_BYTES = 512;
const MAX_VALUE_BYTES = 256 << 10;
const MAX_SECONDS = 366 * 24 * 3600;
const UPDATE_TRIES = 10;
/** Of a key, in messages. */
const MAX_SHOWN_CHARS = 64;

/** Why nothing was read or written: `refused` is not granted to the node's revision; of what is `invalid` there can be none; `failed` is the host's: the
 * store does not answer, the tenant keeps or the run wrote all that it may, or a value that should be incremented is no number; `contended` was changed by
 * others each time; `unreadable` is not what it was read as. */
export type Reason = "refused" | "invalid" | "failed" | "contended" | "unreadable";

/** Why nothing was read or written. */
export class KvError extends Error {
  override readonly name = "KvError";
  readonly reason: Reason;

  constructor(reason: Reason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Entries that are kept: values by their keys. A key has 1 to 512 bytes, without NUL and without `?ttl=`; a value up to 256 KiB.
 *
 * Whatever this does throws {@link KvError} if it cannot be done. */
export class Bucket {
  readonly #name: string;
  readonly #opened: OpenBucket;
  readonly #seconds: number | undefined;

  /** Opens it, unless it is open already. */
  constructor(name: string, opened?: OpenBucket, seconds?: number) {
    this.#name = name;
    this.#seconds = seconds;
    this.#opened = opened ?? this.#told("", () => host().open(name));
  }

  /** The same bucket, for entries that are gone after so many seconds: 1 to 31,622,400, rounded up to whole ones. Whatever is written without this is kept
   * until it is deleted. */
  keepFor(seconds: number): Bucket {
    const whole = Math.ceil(seconds);
    if (!(whole >= 1 && whole <= MAX_SECONDS)) {
      throw new KvError("invalid", `kv:${this.#name}: an entry is kept for 1 second to 366 days, not for ${seconds} seconds`);
    }
    return new Bucket(this.#name, this.#opened, whole);
  }

  /** The value of a key as bytes, if there is one. */
  get(key: string): Uint8Array | undefined {
    const checked = this.#checked(key);
    return this.#told(key, () => this.#opened.get(checked));
  }

  /** The values of these keys, in their order. For the host it is one call, for the limit `kv_calls` one for each key. */
  getMany(keys: readonly string[]): (Uint8Array | undefined)[] {
    const checked = keys.map((key) => this.#checked(key));
    return this.#told(`${keys.length} keys`, () => this.#opened.getMany(checked));
  }

  /** The value as text. */
  text(key: string): string | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : this.#readText(key, value);
  }

  /** The value as JSON; so what `increment` counts is read as a number. */
  json(key: string): unknown {
    const value = this.text(key);
    return value === undefined ? undefined : this.#readJson(key, value);
  }

  /** Whether there is an entry. */
  exists(key: string): boolean {
    const checked = this.#checked(key);
    return this.#told(key, () => this.#opened.exists(checked));
  }

  /** All keys, in the order of their bytes, page by page: each page of up to 100 is one of the run's `kv_calls`, so take no more than you need. */
  *keys(): Generator<string, void> {
    let cursor: string | undefined;
    do {
      const page = this.#told("its keys", () => this.#opened.keys(cursor));
      yield* page.keys;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  /** Keeps a text or bytes under a key, in the place of what was there. */
  set(key: string, value: string | Uint8Array): void {
    const written = this.#written(key);
    const bytes = this.#bytes(key, value);
    this.#told(key, () => this.#opened.set(written, bytes));
  }

  /** Keeps this as JSON. */
  setJson(key: string, value: unknown): void {
    this.set(key, this.#writeJson(key, value));
  }

  /** Deletes an entry, if there is one. */
  delete(key: string): void {
    const checked = this.#checked(key);
    this.#told(key, () => this.#opened.delete(checked));
  }

  /** Adds to a number, at once and for good, and gives the sum. What is not there counts as 0. The time of `keepFor` is only for an entry that this makes:
   * one that is there keeps its own. */
  increment(key: string, delta = 1): number {
    const written = this.#written(key);
    if (!Number.isSafeInteger(delta)) throw this.#error("invalid", key, "what is added is a whole number that JavaScript holds exactly");
    return this.#told(key, () => this.#opened.increment(written, delta));
  }

  /** Replaces a value by what `change` makes of it, at once and for good, and only if nobody else has changed it meanwhile: else `change` is asked again,
   * ten times at most. It gets `undefined` where there is no entry, and gives `undefined` to leave everything as it is. What it gave last is given back. */
  update(key: string, change: (value: Uint8Array | undefined) => string | Uint8Array | undefined): Uint8Array | undefined {
    const written = this.#written(key);
    let seen = this.#told(key, () => this.#opened.see(written));
    for (let tries = 0; tries < UPDATE_TRIES; tries += 1) {
      const given = change(this.#told(key, () => seen.current()));
      if (given === undefined) return undefined;
      const bytes = this.#bytes(key, given);
      const now = this.#told(key, () => seen.swap(bytes));
      if (now === undefined) return bytes;
      seen = now;
    }
    throw this.#error("contended", key, `others have changed it ${UPDATE_TRIES} times meanwhile`);
  }

  /** `update` for a value that is kept as JSON. */
  updateJson(key: string, change: (value: unknown) => unknown): unknown {
    let given: unknown;
    this.update(key, (value) => {
      given = change(value === undefined ? undefined : this.#readJson(key, this.#readText(key, value)));
      return given === undefined ? undefined : this.#writeJson(key, given);
    });
    return given;
  }

  /** How the host is told for how long the entry is kept. */
  #written(key: string): string {
    return this.#seconds === undefined ? this.#checked(key) : `${this.#checked(key)}?ttl=${this.#seconds}`;
  }

  #checked(key: string): string {
    if (typeof key !== "string" || key === "") throw new KvError("invalid", `kv:${this.#name}: a key is a string of 1 to 512 bytes`);
    const isLong = key.length > MAX_KEY_BYTES || encoded(key).length > MAX_KEY_BYTES;
    if (isLong) throw this.#error("invalid", cut(key, MAX_SHOWN_CHARS), "a key has at most 512 bytes");
    if (key !== wellFormed(key)) throw this.#error("invalid", wellFormed(key), "a key is UTF-8, and this one has half of a surrogate pair");
    if (key.includes("\0")) throw this.#error("invalid", "", "a key has no NUL");
    if (key.includes("?ttl=")) throw this.#error("invalid", key, "a key has no `?ttl=`; use keepFor");
    return key;
  }

  #bytes(key: string, value: string | Uint8Array): Uint8Array {
    if (typeof value !== "string" && !(value instanceof Uint8Array)) {
      throw new TypeError(`kv:${this.#name} ${key}: a value is a string or a Uint8Array; use setJson`);
    }
    const bytes = typeof value === "string" ? encoded(value) : value;
    if (bytes.length <= MAX_VALUE_BYTES) return bytes;
    throw this.#error("invalid", key, `a value has at most 256 KiB, and this one ${bytes.length} bytes`);
  }

  #readText(key: string, value: Uint8Array): string {
    try {
      return decoded(value);
    } catch (error) {
      throw this.#error("unreadable", key, `its value cannot be read as text: ${messageOf(error)}`);
    }
  }

  #readJson(key: string, value: string): unknown {
    try {
      return JSON.parse(value);
    } catch (error) {
      throw this.#error("unreadable", key, `its value cannot be read as JSON: ${messageOf(error)}`);
    }
  }

  #writeJson(key: string, value: unknown): string {
    try {
      const json = jsonOf(value);
      if (json !== undefined) return json;
    } catch (error) {
      throw this.#error("invalid", key, `its value cannot be JSON: ${messageOf(error)}`);
    }
    throw this.#error("invalid", key, `its value cannot be JSON: it is a ${typeof value}`);
  }

  #told<T>(key: string, ask: () => T): T {
    try {
      return ask();
    } catch (error) {
      if (error instanceof Refusal) throw this.#error(error.isNotGranted ? "refused" : "failed", key, error.message);
      throw error;
    }
  }

  #error(reason: Reason, key: string, why: string): KvError {
    return new KvError(reason, `kv:${this.#name}${key && ` ${key}`}: ${why}`);
  }
}
