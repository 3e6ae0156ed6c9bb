// The host of a unit test: it keeps in memory what a test gives it, and has no limits. `testing` is what tests call.

import { Refusal, runOn, type Level, type OpenBucket, type Seen } from "./host.js";
import { encoded } from "./text.js";

/** As many keys as the host lists at once. */
const MAX_LISTED = 100;

/** One line that a handler logged. */
export interface Line {
  readonly level: Level;
  /** What groups lines; mostly empty. */
  readonly context: string;
  readonly message: string;
}

/** Everything that a test has given, and nothing else: what it has not is not granted. */
export interface Fakes {
  store: Store | undefined;
  texts: ReadonlyMap<string, string> | undefined;
  values: ReadonlyMap<string, string>;
  secrets: ReadonlyMap<string, string>;
  /** Where lines go; without it they are printed. */
  lines: Line[] | undefined;
}

export const fakes: Fakes = { store: undefined, texts: undefined, values: new Map(), secrets: new Map(), lines: undefined };

interface Place {
  readonly bucket: string;
  readonly key: string;
}

interface Entry {
  readonly value: Uint8Array;
  readonly expiresAt: number | undefined;
  /** Drawn anew by every write. */
  readonly version: number;
}

/** What the host keeps, by bucket and key. */
export class Store {
  now = 0;
  #version = 0;
  readonly #kept = new Map<string, Entry>();
  /** What the handler that runs has written; `undefined`: it has deleted that. */
  #pending: Map<string, Entry | undefined> | undefined;

  begin(): void {
    this.#pending = new Map();
  }

  end(hasReplied: boolean): void {
    const pending = this.#pending ?? new Map<string, Entry | undefined>();
    this.#pending = undefined;
    if (hasReplied) pending.forEach((entry, place) => this.#keep(place, entry));
  }

  /** What the handler sees. */
  seen(place: Place): Entry | undefined {
    const name = nameOf(place);
    return this.#pending?.has(name) ? this.#pending.get(name) : this.kept(place);
  }

  /** What everybody sees. */
  kept(place: Place): Entry | undefined {
    const entry = this.#kept.get(nameOf(place));
    return entry?.expiresAt !== undefined && entry.expiresAt <= this.now ? undefined : entry;
  }

  write(place: Place, entry: Entry | undefined): void {
    if (this.#pending === undefined) this.#keep(nameOf(place), entry);
    else this.#pending.set(nameOf(place), entry);
  }

  /** Done at once: takes with it what the handler wrote to the same key before. */
  settled(place: Place): Entry | undefined {
    const name = nameOf(place);
    if (this.#pending?.has(name)) {
      this.#keep(name, this.#pending.get(name));
      this.#pending.delete(name);
    }
    return this.kept(place);
  }

  writeAtOnce(place: Place, entry: Entry): void {
    this.#keep(nameOf(place), entry);
  }

  keys(bucket: string): string[] {
    const places = new Set([...this.#kept.keys(), ...(this.#pending?.keys() ?? [])]);
    const keys = [...places].filter((name) => name.startsWith(`${bucket}\0`)).map((name) => name.slice(bucket.length + 1));
    return keys.filter((key) => this.seen({ bucket, key }) !== undefined).sort(inBytes);
  }

  #keep(name: string, entry: Entry | undefined): void {
    this.#version += 1;
    if (entry === undefined) this.#kept.delete(name);
    else this.#kept.set(name, { ...entry, version: this.#version });
  }
}

function nameOf({ bucket, key }: Place): string {
  return `${bucket}\0${key}`;
}

/** A language is the same in every case. */
export function spelled(name: string): string {
  const [key, ...language] = name.split("/");
  return [key, ...language.map((part) => part.toLowerCase())].join("/");
}

function inBytes(one: string, other: string): number {
  const [a, b] = [encoded(one), encoded(other)];
  const at = a.findIndex((byte, at) => byte !== b[at]);
  return at < 0 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1);
}

function bucketOf(store: Store, bucket: string): OpenBucket {
  const placeOf = (written: string): [Place, number | undefined] => {
    const [key = "", seconds] = written.split("?ttl=");
    return [{ bucket, key }, seconds === undefined ? undefined : store.now + Number(seconds)];
  };
  return {
    get: (key) => copied(store.seen({ bucket, key })),
    getMany: (keys) => keys.map((key) => copied(store.seen({ bucket, key }))),
    exists: (key) => store.seen({ bucket, key }) !== undefined,
    keys(cursor) {
      const found = store.keys(bucket).filter((key) => cursor === undefined || inBytes(key, cursor) > 0);
      const keys = found.slice(0, MAX_LISTED);
      return { keys, cursor: keys.length === MAX_LISTED ? keys.at(-1) : undefined };
    },
    set(written, value) {
      const [place, expiresAt] = placeOf(written);
      store.write(place, { value: value.slice(), expiresAt, version: 0 });
    },
    delete: (key) => store.write({ bucket, key }, undefined),
    increment(written, delta) {
      const [place, expiresAt] = placeOf(written);
      const before = store.settled(place);
      const sum = (before === undefined ? 0 : numberOf(before.value)) + delta;
      store.writeAtOnce(place, { value: encoded(String(sum)), expiresAt: before === undefined ? expiresAt : before.expiresAt, version: 0 });
      return sum;
    },
    see(written) {
      const [place, expiresAt] = placeOf(written);
      return seenIn(store, place, expiresAt, store.settled(place));
    },
  };
}

function seenIn(store: Store, place: Place, expiresAt: number | undefined, entry: Entry | undefined): Seen {
  return {
    current: () => copied(entry),
    swap(value) {
      const now = store.settled(place);
      if (now?.version !== entry?.version) return seenIn(store, place, expiresAt, now);
      store.writeAtOnce(place, { value: value.slice(), expiresAt, version: 0 });
      return undefined;
    },
  };
}

/** What is kept is nobody's to change. */
function copied(entry: Entry | undefined): Uint8Array | undefined {
  return entry?.value.slice();
}

/** The number that a value is the text of; not `007`, for what was written is what is read. */
function numberOf(value: Uint8Array): number {
  const text = String.fromCharCode(...value);
  const number = Number(text);
  if (!Number.isSafeInteger(number) || String(number) !== text) throw new Refusal("its value is no whole number");
  return number;
}

function messagesBucket(texts: ReadonlyMap<string, string>): OpenBucket {
  const store = new Store();
  texts.forEach((text, key) => store.write({ bucket: "messages", key }, { value: encoded(text), expiresAt: undefined, version: 0 }));
  const bucket = bucketOf(store, "messages");
  return { ...bucket, get: (key) => bucket.get(spelled(key)), getMany: (keys) => bucket.getMany(keys.map(spelled)) };
}

runOn({
  log(level, context, message) {
    if (fakes.lines !== undefined) fakes.lines.push({ level, context, message });
    else console.error(`${level.toUpperCase()} ${context === "" ? "" : `${context}: `}${message}`);
  },
  config: (key) => fakes.values.get(key) ?? fakes.secrets.get(key),
  allConfig: () => [...fakes.values].sort(([one], [other]) => inBytes(one, other)),
  open(bucket) {
    if (bucket === "messages") {
      if (fakes.texts === undefined) throw new Refusal("nothing is granted in a unit test; say what messages say with testing.messages", true);
      return messagesBucket(fakes.texts);
    }
    if (fakes.store === undefined) throw new Refusal("nothing is granted in a unit test; keep entries with testing.kv", true);
    return bucketOf(fakes.store, bucket);
  },
  randomBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(Math.random() * 256)),
  waits: true,
});

declare const console: { error(line: string): void };
