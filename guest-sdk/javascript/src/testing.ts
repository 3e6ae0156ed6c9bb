/** Runs a handler without a host, for an author's unit tests, with a fake for every capability. Nothing is limited here: `codenode run` does that.
 *
 * ```ts
 * test("an order is on its way", (t) => {
 *   const kept = testing.kv();
 *   t.after(() => kept.end());
 *   const run = testing.run(handle, testing.event("ORDER", { entities: { order_id: "71" } }));
 *   assert.deepEqual(run.texts, ["Order 71 is on its way."]);
 * });
 * ```
 * What a test does not give is not granted, and what it has given ends with `end()`, or with `using`.
 */

import { Event } from "./event.js";
import { detail } from "./failures.js";
import { Refusal, runOn, type Level, type OpenBucket, type Seen } from "./host.js";
import { replyText, type Reply } from "./reply.js";
import { encoded } from "./text.js";
import type { Json } from "./values.js";

/** As many keys as the host lists at once. */
const MAX_LISTED = 100;

export interface EventParts {
  /** Values by name, each as detected in the user's message: a text, an object, or a list of several. */
  readonly entities?: Json;
  /** Keys of `user`, such as `full_name`. */
  readonly user?: Json;
  /** The chat's language: `user.language_code`. */
  readonly language?: string;
  readonly conversationDetails?: Json;
  readonly userDetails?: Json;
  /** The bot's settings. */
  readonly env?: Json;
  /** Any keys at the top of the event. */
  readonly extra?: Json;
}

/** An event for this node, in the platform's form of 2018. Throws `BotError` if something is where it cannot be. */
export function event(node: string, parts: EventParts = {}): Event {
  const language = parts.language === undefined ? {} : { language_code: parts.language };
  const entities = Object.entries(parts.entities ?? {}).map(([name, value]) => [name, (Array.isArray(value) ? value : [value]).map(detected)]);
  const given = {
    node,
    event: "API_INTEGRATION",
    user: { user_name: "u-1", full_name: "", device_platform: 5, ...language, ...parts.user },
    entities: Object.fromEntries(entities) as Json,
    conversation_details: parts.conversationDetails ?? {},
    user_details: parts.userDetails ?? {},
    env_variables: parts.env ?? {},
    ...parts.extra,
  };
  // As JSON, so that a test cannot give what a platform cannot.
  return Event.parse(JSON.stringify(given));
}

/** One line that a handler logged. */
export interface Line {
  readonly level: Level;
  /** What groups lines; mostly empty. */
  readonly context: string;
  readonly message: string;
}

/** What came of running a handler once. */
export class Run {
  readonly #reply: Reply | undefined;
  readonly #error: unknown;
  /** What the handler logged, in order. */
  readonly logs: readonly Line[];

  constructor(reply: Reply | undefined, error: unknown, logs: readonly Line[]) {
    this.#reply = reply;
    this.#error = error;
    this.logs = logs;
  }

  /** The handler's reply. Throws, because of its error, if there is none. */
  get reply(): Reply {
    if (this.#reply !== undefined) return this.#reply;
    throw new Error(`the handler gave no reply: ${String(this.#error)}`, { cause: this.#error });
  }

  /** The reply's plain messages; elements are left out. */
  get texts(): string[] {
    return this.reply.texts;
  }

  /** The reply as the host would read it. */
  get json(): unknown {
    return JSON.parse(JSON.stringify(this.reply));
  }

  /** What the handler threw, as the detail of a bot break tells it, without its place. Throws if there is a reply. */
  get error(): string {
    if (this.#reply !== undefined) throw new Error(`the handler gave a reply: ${JSON.stringify(this.#reply)}`);
    return detail(this.#error);
  }
}

/** Runs a handler on an event, and keeps what it logs; what it wrote to `kv` too, if it replies. */
export function run(handle: (event: Event) => Reply, given: Event): Run {
  const running = new Running();
  try {
    return running.replied(handle(given));
  } catch (error) {
    return running.broke(error);
  } finally {
    running.end();
  }
}

/** The same for an `async` handler, one after another: what is logged meanwhile is this one's. */
export async function runAsync(handle: (event: Event) => Promise<Reply>, given: Event): Promise<Run> {
  const running = new Running();
  try {
    return running.replied(await handle(given));
  } catch (error) {
    return running.broke(error);
  } finally {
    running.end();
  }
}

class Running {
  readonly #before = lines;
  readonly #logged: Line[] = [];
  readonly #store = state.store;
  #hasReplied = false;

  constructor() {
    lines = this.#logged;
    this.#store?.begin();
  }

  replied(reply: Reply): Run {
    replyText(reply);
    this.#hasReplied = true;
    return new Run(reply, undefined, this.#logged);
  }

  broke(error: unknown): Run {
    return new Run(undefined, error, this.#logged);
  }

  end(): void {
    this.#store?.end(this.#hasReplied);
    lines = this.#before;
  }
}

/** What a test has given, until it ends. */
export interface Given {
  end(): void;
  [Symbol.dispose](): void;
}

/** What `kv` keeps, in a test. */
export interface Keeping extends Given {
  /** Lets time pass, in seconds, so that entries expire. */
  advance(seconds: number): void;
}

/** Grants both buckets of `kv`, empty. What a handler sets or deletes under {@link run} is kept if it replies; what is written outside of one is kept at once.
 * Time stands still, but for {@link Keeping.advance}. */
export function kv(): Keeping {
  const store = new Store();
  return {
    ...giving("store", store),
    advance(seconds: number) {
      store.now += seconds;
    },
  };
}

/** Grants messages that say this, by their names: `order.not_found` or `order.not_found/hi`. */
export function messages(texts: Readonly<Record<string, string>>): Given {
  return giving("texts", new Map(Object.entries(texts).map(([name, text]) => [spelled(name), text])));
}

/** Sets these values of `config`, and no others. */
export function config(values: Readonly<Record<string, string>>): Given {
  return giving("values", new Map(Object.entries(values)));
}

/** Grants these secrets of `config`, and no others. */
export function secrets(values: Readonly<Record<string, string>>): Given {
  return giving("secrets", new Map(Object.entries(values)));
}

/** A `fetch` for engines that have one. */
type Fetch = (resource: unknown, options?: unknown) => unknown;

/** Takes the place of every service that a handler calls with `fetch`: for a component with SpiderMonkey, whose engine has it. */
export function fetching(service: Fetch): Given {
  const globals = globalThis as { fetch?: unknown };
  const engines = globals.fetch;
  globals.fetch = async (resource: unknown, options?: unknown) => service(resource, options);
  return ending(() => {
    globals.fetch = engines;
  });
}

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
class Store {
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

interface State {
  store: Store | undefined;
  texts: Map<string, string> | undefined;
  values: Map<string, string>;
  secrets: Map<string, string>;
}

const state: State = { store: undefined, texts: undefined, values: new Map(), secrets: new Map() };
let lines: Line[] | undefined;

function giving<K extends keyof State>(what: K, value: State[K]): Given {
  const before = state[what];
  state[what] = value;
  return ending(() => {
    state[what] = before;
  });
}

function ending(end: () => void): Given {
  return { end, [Symbol.dispose]: end };
}

function detected(value: unknown): Json {
  return { detection: "message", original_text: typeof value === "string" ? value : "", entity_value: value };
}

/** A language is the same in every case. */
function spelled(name: string): string {
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
    get: (key) => store.seen({ bucket, key })?.value,
    getMany: (keys) => keys.map((key) => store.seen({ bucket, key })?.value),
    exists: (key) => store.seen({ bucket, key }) !== undefined,
    keys(cursor) {
      const found = store.keys(bucket).filter((key) => cursor === undefined || inBytes(key, cursor) > 0);
      const keys = found.slice(0, MAX_LISTED);
      return { keys, cursor: keys.length === MAX_LISTED ? keys.at(-1) : undefined };
    },
    set(written, value) {
      const [place, expiresAt] = placeOf(written);
      store.write(place, { value, expiresAt, version: 0 });
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
    current: () => entry?.value,
    swap(value) {
      const now = store.kept(place);
      if (now?.version !== entry?.version) return seenIn(store, place, expiresAt, now);
      store.writeAtOnce(place, { value, expiresAt, version: 0 });
      return undefined;
    },
  };
}

/** The number that a value is the text of; not `007`, for what was written is what is read. */
function numberOf(value: Uint8Array): number {
  const text = String.fromCharCode(...value);
  const number = Number(text);
  if (!Number.isSafeInteger(number) || String(number) !== text) throw new Refusal("its value is no whole number");
  return number;
}

function messagesBucket(texts: Map<string, string>): OpenBucket {
  const store = new Store();
  texts.forEach((text, key) => store.write({ bucket: "messages", key }, { value: encoded(text), expiresAt: undefined, version: 0 }));
  const bucket = bucketOf(store, "messages");
  return { ...bucket, get: (key) => bucket.get(spelled(key)), getMany: (keys) => bucket.getMany(keys.map(spelled)) };
}

runOn({
  log(level, context, message) {
    lines?.push({ level, context, message });
  },
  config: (key) => state.values.get(key) ?? state.secrets.get(key),
  allConfig: () => [...state.values].sort(([one], [other]) => inBytes(one, other)),
  open(bucket) {
    if (bucket === "messages") {
      if (state.texts === undefined) throw new Refusal("nothing is granted in a unit test; say what messages say with testing.messages", true);
      return messagesBucket(state.texts);
    }
    if (state.store === undefined) throw new Refusal("nothing is granted in a unit test; keep entries with testing.kv", true);
    return bucketOf(state.store, bucket);
  },
  randomBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(Math.random() * 256)),
  waits: true,
});

