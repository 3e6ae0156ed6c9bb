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

import { readFileSync } from "node:fs";
import { API_INTEGRATION, Event } from "./event.js";
import { detail } from "./failures.js";
import { fakes, spelled, Store, type Fakes, type Line } from "./fakes.js";
import { isHandler } from "./handler.js";
import { judged } from "./judgement.js";
import { PlainReply, Reply, replyText } from "./reply.js";
import { isThenable, type Json } from "./values.js";

export type { Line } from "./fakes.js";

/** A handler, or a function from the event's object to the reply's: each is given what the host gives it. */
type Handle = (event: any) => unknown;

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
    event: API_INTEGRATION,
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

/** An event from a JSON file, by its path or its URL. Throws what `readFileSync` throws, and `BotError` if the file holds no event. */
export function eventFile(path: string | { readonly href: string }): Event {
  return Event.parse(readFileSync(path, "utf8"));
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

/** Runs a handler on an event, and keeps what it logs; what it wrote to `kv` too, if it replies with what the host would take. */
export function run(handle: Handle, event: Event): Run {
  const running = new Running();
  try {
    const returned = called(handle, event);
    // Nobody waits for it, so nobody else would hear of its failure.
    if (isThenable(returned)) returned.then(undefined, () => undefined);
    return running.replied(returned);
  } catch (error) {
    return running.broke(error);
  } finally {
    running.end();
  }
}

/** The same for an `async` handler, one after another: what is logged meanwhile is this one's. */
export async function runAsync(handle: Handle, event: Event): Promise<Run> {
  const running = new Running();
  try {
    return running.replied(await called(handle, event));
  } catch (error) {
    return running.broke(error);
  } finally {
    running.end();
  }
}

function called(handle: Handle, event: Event): unknown {
  // An object of its own, which it may change, as one that was just read.
  return handle(isHandler(handle) ? event : JSON.parse(JSON.stringify(event)));
}

class Running {
  readonly #before = fakes.lines;
  readonly #logged: Line[] = [];
  readonly #store = fakes.store;
  #hasReplied = false;

  constructor() {
    fakes.lines = this.#logged;
    this.#store?.begin();
  }

  replied(returned: unknown): Run {
    const reply = judged(replyText(returned));
    this.#hasReplied = true;
    return new Run(returned instanceof Reply ? returned : new PlainReply(reply), undefined, this.#logged);
  }

  broke(error: unknown): Run {
    return new Run(undefined, error, this.#logged);
  }

  end(): void {
    this.#store?.end(this.#hasReplied);
    fakes.lines = this.#before;
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

function giving<K extends keyof Fakes>(what: K, value: Fakes[K]): Given {
  const before = fakes[what];
  fakes[what] = value;
  return ending(() => {
    fakes[what] = before;
  });
}

function ending(end: () => void): Given {
  return { end, [Symbol.dispose]: end };
}

function detected(value: unknown): Json {
  return { detection: "message", original_text: typeof value === "string" ? value : "", entity_value: value };
}
