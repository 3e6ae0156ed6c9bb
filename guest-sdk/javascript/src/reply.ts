// What the bot answers.

import { BotError } from "./error.js";
import type { Element } from "./element.js";
import { jsonOf } from "./json.js";
import { kind, messageOf } from "./shown.js";
import { isObject, isThenable, type Json } from "./values.js";

/** What a reply says: plain text or an element. */
export type Message = string | Element;

export interface ReplyOptions {
  /** Whether the business step succeeded; true unless this says otherwise. After `false`, the chat of an end node stays with the bot. */
  readonly status?: boolean;
  /** What to keep for this conversation. It is kept once the run has succeeded: by the platform or, with the grant `state:conversation`, by codenode for
   * three hours, which forgets what is null. The usual cap of a value is 2500 characters. */
  readonly conversationDetails?: Json;
  /** What to keep for this user, texts and numbers, likewise, with the grant `state:user`. The usual cap of a value is 200 characters. */
  readonly userDetails?: Json;
  /** Keys of your own at the top of the reply, for later nodes to branch on. Those that a reply has already are not free. */
  readonly extra?: Json;
}

const OWN = ["status", "response", "conversation_details", "user_details"];

/** Messages, whether the business step succeeded, and what to remember. A reply without a message is a bot break. */
export class Reply {
  readonly messages: readonly Message[];
  readonly status: boolean;
  readonly #options: ReplyOptions;

  /** A text, an element, or a list of both. Throws `TypeError` if a message is something else, or `extra` has a key of the reply's own. */
  constructor(messages: Message | readonly Message[], options: ReplyOptions = {}) {
    const taken = OWN.filter((key) => Object.hasOwn(options.extra ?? {}, key));
    if (taken.length > 0) throw new TypeError(`extra cannot have ${taken.join(", ")}: a reply has it already`);
    this.messages = Array.isArray(messages) ? [...messages] : [messages as Message];
    for (const message of this.messages) {
      if (!isMessage(message)) throw new TypeError(`a message is a text or an element, such as those of \`element\`, not ${kind(message)}`);
    }
    this.status = options.status ?? true;
    this.#options = options;
  }

  /** The plain messages; elements are left out. */
  get texts(): string[] {
    return this.messages.filter((message) => typeof message === "string");
  }

  /** The reply as the host gets it: an element stands as a text that holds its JSON, and details only where there are some. */
  toJSON(): Json {
    const { conversationDetails, userDetails, extra } = this.#options;
    return {
      status: this.status,
      response: this.messages.map((message) => (typeof message === "string" ? message : jsonOf(message))),
      ...(Object.keys(conversationDetails ?? {}).length > 0 ? { conversation_details: conversationDetails } : {}),
      ...(Object.keys(userDetails ?? {}).length > 0 ? { user_details: userDetails } : {}),
      ...extra,
    };
  }
}

/** A reply in the platform's shape that the host would take, as it is. */
export class PlainReply extends Reply {
  readonly #given: Json;

  constructor(given: Json) {
    super(given["response"] as Message[], { status: given["status"] !== false });
    this.#given = given;
  }

  override toJSON(): Json {
    return this.#given;
  }
}

/** The JSON of what a handler returned: a {@link Reply}, or an object of the platform's shape, which is the host's to judge. Throws {@link BotError}. */
export function replyText(returned: unknown): string {
  if (typeof returned !== "object" || returned === null || Array.isArray(returned)) {
    throw new BotError(`handle returned ${kind(returned)}: return a Reply, or an object`);
  }
  if (isThenable(returned)) throw new BotError("handle is async, which QuickJS does not wait for: write it without, or keep it as a source");
  let text: string | undefined;
  try {
    text = jsonOf(returned);
  } catch (error) {
    throw new BotError(`the reply cannot be JSON: ${messageOf(error)}`);
  }
  if (text === undefined) throw new BotError("the reply cannot be JSON: its toJSON gives nothing");
  return text;
}

/** As the host takes elements: whatever has a type, and no other data than an object. */
function isMessage(message: unknown): message is Message {
  if (typeof message === "string") return true;
  if (!isObject(message) || typeof message["type"] !== "string" || message["type"] === "") return false;
  return message["data"] === undefined || message["data"] === null || isObject(message["data"]);
}
