// What the host says of a reply, for unit tests. It is the one to judge: a bot break in a test that is none there, or the other way round, is a mistake here.

import { BotError } from "./error.js";
import { isObject, type Json } from "./values.js";

/** Each escape of a JSON text. */
const ESCAPE = /\\(?:u[0-9a-f]{4}|.)/giu;

/** The reply that a JSON text is. Throws {@link BotError}, in the host's words, if it is none. */
export function judged(text: string): Json {
  const reply: unknown = JSON.parse(text);
  if (text.match(ESCAPE)?.includes("\\u0000")) throw wrong("a string holds the character \\u0000, which not every store can keep");
  if (!isObject(reply)) throw wrong('it is no object such as {"status":true,"response":["…"]}');
  for (const name of ["conversation_details", "user_details"]) {
    const details = reply[name] ?? {};
    if (!isObject(details)) throw wrong(`\`${name}\` must be an object`);
  }
  const { response, status = true } = reply;
  if (response === undefined || response === null) throw empty("`response` is absent");
  if (!Array.isArray(response)) throw wrong("`response` must be a list of messages");
  if (response.length === 0) throw empty("`response` is an empty list");
  if (typeof status !== "boolean") throw wrong("`status` must be true or false");
  response.forEach((message, at) => judge(message, `\`response[${at}]\``));
  return reply;
}

function judge(message: unknown, name: string): void {
  if (typeof message === "string") return;
  if (!isObject(message)) throw wrong(`${name} is neither a string nor a message element`);
  const why = whyNoElement(message);
  if (why !== undefined) throw wrong(`${name} is not a message element: ${why}`);
}

function whyNoElement({ type, text, title, data }: Json): string | undefined {
  if (type === undefined) return "missing field `type`";
  if (typeof type !== "string") return "its `type` is not a string";
  if (type === "") return "its `type` is empty";
  if ([text, title].some((words) => typeof (words ?? "") !== "string")) return "its `text` or its `title` is not a string";
  return isObject(data ?? {}) ? undefined : "its `data` is not an object";
}

function wrong(why: string): BotError {
  return new BotError(`the reply has the wrong shape: ${why}`);
}

function empty(why: string): BotError {
  return new BotError(`the reply has no message: ${why}`);
}
