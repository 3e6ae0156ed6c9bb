// What codenode offers to a handler, with the names of the Rust SDK: `import { kv, messages, config, log } from "codenode"`.

import * as values from "wasi:config/store@0.2.0-rc.1";
import * as atomics from "wasi:keyvalue/atomics@0.2.0-draft2";
import * as batch from "wasi:keyvalue/batch@0.2.0-draft2";
import * as store from "wasi:keyvalue/store@0.2.0-draft2";
import { log as write } from "wasi:logging/logging@0.1.0-draft";

const MAX_SECONDS = 366 * 24 * 3600;

/** Log lines that the host keeps with the run. */
export const log = Object.fromEntries(
  ["trace", "debug", "info", "warn", "error", "critical"].map((level) => [level, (message) => write(level, "", String(message))]),
);

/** What a node keeps between its runs. Granted as `kv:node` and `kv:tenant`. */
export const kv = { node: () => new Bucket("node"), tenant: () => new Bucket("tenant") };

/** What people set for a node. Granted as `config`, and `secret:KEY` for each secret. */
export const config = {
  /** The value of a key as text, or `undefined`. */
  get: (key) => asked("config", key, () => values.get(key)),
  /** The value of a key that must be there. */
  text(key) {
    const value = config.get(key);
    if (value !== undefined) return value;
    throw new Error(`${key} is not set, or not granted: \`codenode config set ${key} VALUE\`, and grant \`config\`; for a secret \`--secret\`, and \`secret:${key}\``);
  },
  /** The value of a key, read as JSON. */
  read(key) {
    const value = config.get(key);
    return value === undefined ? undefined : readJson("config", key, value);
  },
  /** All values, by their keys, but for secrets. */
  all: () => Object.fromEntries(asked("config", "all", () => values.getAll())),
};

/** What a node says, in many languages. Granted as `kv:messages`. */
export const messages = {
  /** The text of a message for a language: that for `hi-IN`, else for `hi`, else without one. */
  text(key, language) {
    const names = endings(language).map((ending) => key + ending);
    const found = new Bucket("messages").getMany(names).find((value) => value !== undefined);
    if (found !== undefined) return new TextDecoder().decode(found);
    const place = names.length > 1 ? ` in ${names[0].slice(key.length + 1)}, nor one without a language` : "";
    throw new Error(`there is no message ${key}${place}: add it with \`codenode message set ${key} TEXT\``);
  },
  /** Puts values in their places: `{order}` becomes `values.order`. */
  fill: (text, given) => text.replace(/\{([^{}]*)\}/gu, (place, name) => (Object.hasOwn(given, name) ? String(given[name]) : place)),
};

/** Entries that are kept: values by their keys. Whatever this does throws an `Error` if it cannot be done. */
class Bucket {
  #name;
  #opened;
  #seconds;

  constructor(name, opened, seconds) {
    this.#name = name;
    this.#seconds = seconds;
    this.#opened = opened ?? this.#told("", () => store.open(name));
  }

  /** The same bucket, for entries that are gone after so many seconds: 1 to 31,622,400. */
  keepFor(seconds) {
    const whole = Math.ceil(seconds);
    if (!(whole >= 1 && whole <= MAX_SECONDS)) throw new RangeError(`kv:${this.#name}: an entry is kept for 1 second to 366 days, not for ${seconds} seconds`);
    return new Bucket(this.#name, this.#opened, whole);
  }

  /** The value of a key as bytes, or `undefined`. */
  get(key) {
    return this.#told(key, () => this.#opened.get(this.#checked(key))) ?? undefined;
  }

  /** The values of these keys, in their order. */
  getMany(keys) {
    const found = this.#told(`${keys.length} keys`, () => batch.getMany(this.#opened, keys.map((key) => this.#checked(key))));
    return found.map((entry) => entry?.[1]);
  }

  text(key) {
    const value = this.get(key);
    return value === undefined ? undefined : new TextDecoder().decode(value);
  }

  json(key) {
    const value = this.text(key);
    return value === undefined ? undefined : readJson(`kv:${this.#name}`, key, value);
  }

  exists(key) {
    return this.#told(key, () => this.#opened.exists(this.#checked(key)));
  }

  /** All keys, page by page: each page of up to 100 is one of the run's `kv_calls`. */
  *keys() {
    let cursor;
    do {
      const page = this.#told("its keys", () => this.#opened.listKeys(cursor));
      yield* page.keys;
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
  }

  /** Keeps a text or bytes under a key. */
  set(key, value) {
    if (typeof value !== "string" && !(value instanceof Uint8Array)) throw new TypeError(`kv:${this.#name} ${key}: a value is a string or a Uint8Array; use setJson`);
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    this.#told(key, () => this.#opened.set(this.#written(key), bytes));
  }

  setJson(key, value) {
    this.set(key, JSON.stringify(value));
  }

  delete(key) {
    this.#told(key, () => this.#opened.delete(this.#checked(key)));
  }

  /** Adds to a number, at once and for good, and gives the sum. */
  increment(key, delta = 1) {
    return Number(this.#told(key, () => atomics.increment(this.#opened, this.#written(key), BigInt(delta))));
  }

  #written(key) {
    return this.#seconds === undefined ? this.#checked(key) : `${this.#checked(key)}?ttl=${this.#seconds}`;
  }

  #checked(key) {
    if (typeof key !== "string" || key === "") throw new TypeError(`kv:${this.#name}: a key is a string of 1 to 512 bytes`);
    if (key.includes("?ttl=")) throw new RangeError(`kv:${this.#name} ${key}: a key has no \`?ttl=\`; use keepFor`);
    return key;
  }

  #told(key, ask) {
    return asked(`kv:${this.#name}`, key, ask);
  }
}

/** What the host answers; what it refuses is an `Error` in words. */
function asked(where, key, ask) {
  try {
    return ask();
  } catch (error) {
    const reason = error?.payload;
    if (reason === undefined) throw error;
    const why = { "access-denied": `it is not granted to this node: grants = ["${where}"] in node.toml, or --grant ${where}`, "no-such-store": "the host has no such bucket" }[reason.tag] ?? reason.val;
    throw new Error(`${where}${key && ` ${key}`}: ${why}`);
  }
}

function readJson(where, key, value) {
  try {
    return JSON.parse(value);
  } catch (error) {
    throw new Error(`${where} ${key}: its value cannot be read as JSON: ${error.message}`);
  }
}

/** `/hi-IN`, `/hi` and nothing: as RFC 4647 (3.4) looks languages up. */
function endings(language) {
  const tag = String(language ?? "").replaceAll("_", "-");
  if (tag.length > 35 || !/^[A-Za-z0-9-]+$/u.test(tag)) return [""];
  const parts = tag.split("-");
  const found = [];
  while (parts.length > 0 && parts.join("") !== "") {
    found.push(`/${parts.join("-")}`);
    parts.pop();
    while (parts.length > 1 && parts.at(-1).length <= 1) parts.pop();
  }
  return [...found, ""];
}
