// From the platform's JSON to a handler, and from what that returns to the reply's.

import { Event, parsed } from "./event.js";
import { failed } from "./failures.js";
import { host } from "./host.js";
import { begin } from "./randomness.js";
import { replyText, type Reply } from "./reply.js";
import { kind } from "./shown.js";
import { isThenable } from "./values.js";

/** A handler. The host calls it with the platform's JSON and gets the reply's; a test, and a source that is kept as it is, with an event, and get the reply. */
export interface Handler<R extends Reply | Promise<Reply> = Reply> {
  (event: string): R extends Reply ? string : Promise<string>;
  (event: Event | object): R;
}

/** Makes a handler of a function from an event to a reply. It is exported under the name `handle`:
 *
 * ```ts
 * export const handle = handler((event) => new Reply(`Order ${event.entities.text("product_id")} is on its way.`));
 * ```
 * It may be `async` where the engine has something to wait for: in SpiderMonkey, and in sources.
 */
export function handler<R extends Reply | Promise<Reply>>(work: (event: Event) => R): Handler<R> {
  const handle = (event: string | object): unknown => {
    if (typeof event !== "string") return work(event instanceof Event ? event : new Event(event));
    return answer(event, (json) => work(new Event(json)));
  };
  made.add(handle);
  return handle as Handler<R>;
}

/** What {@link handler} has made. */
const made = new WeakSet<object>();

/** Whether {@link handler} has made it, so that it takes the platform's JSON or an event, whatever it is exported as. */
export function isHandler(handle: unknown): boolean {
  return typeof handle === "function" && made.has(handle);
}

/** What a component exports of an author's `handle`, which is a {@link Handler}, or a function from the event's object to the reply's. Throws `TypeError` if it
 * is neither: then the component cannot be built, for that takes a run of what stands outside of functions. */
export function exported(handle: unknown): (event: string) => unknown {
  if (typeof handle !== "function") {
    const found = handle === undefined ? "there is no function `handle`" : `\`handle\` is no function but ${kind(handle)}`;
    throw new TypeError(`${found}: write \`export const handle = handler((event) => …)\``);
  }
  const work = handle as (event: unknown) => unknown;
  return isHandler(handle) ? (work as (event: string) => unknown) : (event) => answer(event, work);
}

/** The reply's JSON, or a promise of it. */
function answer(event: string, work: (json: unknown) => unknown): unknown {
  begin();
  try {
    const returned = work(parsed(event));
    const isWaitedFor = host().waits && isThenable(returned);
    return isWaitedFor ? Promise.resolve(returned).then(replyText).catch(rethrown) : replyText(returned);
  } catch (error) {
    return rethrown(error);
  }
}

/** As the host takes it: a text. */
function rethrown(error: unknown): never {
  throw failed(error);
}
