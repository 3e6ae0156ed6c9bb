// What the bot platform sent.

import { BotError } from "./error.js";
import { messageOf } from "./shown.js";
import * as values from "./values.js";
import { Fields, isObject, type Json, type PlainDate, type PlainTime, type Range } from "./values.js";

/** Where chats take place, by the platform's numbers. It may add places. */
export const PLATFORM = { android: 2, facebook: 3, jio: 4, web: 5, ios: 6, botApi: 13, whatsApp: 14, jioChatConnector: 15 } as const;

/** Why the platform asks a node today. */
export const API_INTEGRATION = "API_INTEGRATION";

/** How a value was detected. The platform may know more ways. */
export type Detection =
  | "message"
  | "structure_value_verified"
  | "structure_value_not_verified"
  | "fallback_value"
  | "model_verified"
  | "model_not_verified"
  | "user_profile"
  | "default"
  | (string & {});

/** Which node is asked, by whom, and what was detected.
 *
 * The form of 2018 has only `node`, `event`, three fields of `user`, and `entities`. So nothing is required: an absent text is empty, absent details have no
 * names, and keys that have no field here are in `extra`. */
export class Event {
  /** The node's system name, such as `ORDER_STATUS`. Since 2023 the platform calls it `step`; both are read. */
  readonly node: string;
  /** Why the node is asked: {@link API_INTEGRATION}. */
  readonly event: string;
  /** Who is chatting. The platform's Run panel calls it `user_data`; both are read. */
  readonly user: User;
  /** How many conversations this one makes for the user. */
  readonly conversationNo: number | undefined;
  /** What earlier nodes kept for this conversation: the platform, or codenode with the grant `state:conversation`. */
  readonly conversationDetails: Fields;
  /** What is kept for this user: by the platform, or by codenode with the grant `state:user`. */
  readonly userDetails: Fields;
  /** What was detected. */
  readonly entities: Entities;
  /** The bot's settings. */
  readonly envVariables: Fields;
  /** Every other key of the event. */
  readonly extra: Fields;
  readonly #given: Json;

  /** Reads the platform's JSON as JavaScript has it. Throws {@link BotError} if a part that must be an object is something else. */
  constructor(given: unknown = {}) {
    this.#given = object("the event", given);
    const { node, step, event, user, user_data, conversation_no, conversation_details, user_details, entities, env_variables, ...extra } = this.#given;
    this.node = textOf(node ?? step) ?? "";
    this.event = textOf(event) ?? "";
    this.user = new User(user ?? user_data);
    this.conversationNo = values.integer(conversation_no);
    this.conversationDetails = new Fields(object("conversation_details", conversation_details));
    this.userDetails = new Fields(object("user_details", user_details));
    this.entities = new Entities(entities);
    this.envVariables = new Fields(object("env_variables", env_variables));
    this.extra = new Fields(extra);
  }

  /** What the platform sent. */
  toJSON(): Json {
    return this.#given;
  }

  /** Reads an event's JSON text. Throws {@link BotError} if it is no JSON, or a part that must be an object is something else. */
  static parse(text: string): Event {
    return new Event(parsed(text));
  }
}

/** Who is chatting. What came after the form of 2018 is optional. */
export class User {
  /** The platform's name for the user. */
  readonly userName: string;
  /** The user's own name; often empty. */
  readonly fullName: string;
  /** Where the chat takes place, as in {@link PLATFORM}; 0 where the platform did not say. */
  readonly devicePlatform: number;
  /** The platform's id of the user. */
  readonly userId: string | undefined;
  /** The language of the chat: `en`, `hi` … */
  readonly languageCode: string | undefined;
  /** The user's id with the bot's owner. */
  readonly authId: string | undefined;
  /** The user's token with the bot's owner. */
  readonly authCode: string | undefined;
  /** Every other key. */
  readonly extra: Fields;

  /** Reads the platform's object. Throws {@link BotError} if it is none. */
  constructor(given?: unknown) {
    const { user_name, full_name, device_platform, user_id, language_code, auth_id, auth_code, ...extra } = object("user", given);
    this.userName = textOf(user_name) ?? "";
    this.fullName = textOf(full_name) ?? "";
    this.devicePlatform = values.integer(device_platform) ?? 0;
    this.userId = textOf(user_id);
    this.languageCode = textOf(language_code);
    this.authId = textOf(auth_id);
    this.authCode = textOf(auth_code);
    this.extra = new Fields(extra);
  }
}

/** One detected value: `{"detection": "message", "original_text": "71", "entity_value": "71"}`. */
export class Entity {
  /** `entity_value`: a text, or an object whose shape hangs on the entity's type. The methods read the shapes that are known. */
  readonly value: unknown;
  /** How the platform came to the value. */
  readonly detection: Detection;
  /** What the user wrote; empty where nothing was written. */
  readonly originalText: string;
  /** Every other key, such as `language`. */
  readonly extra: Fields;

  /** Reads the platform's object. Throws {@link BotError} if it is none. */
  constructor(given: unknown) {
    const { entity_value, detection, original_text, ...extra } = object("an entity's value", given);
    this.value = entity_value;
    this.detection = textOf(detection) ?? "";
    this.originalText = textOf(original_text) ?? "";
    this.extra = new Fields(extra);
  }

  /** A plain text, or the text in `{"value": "…"}`. */
  text(): string | undefined {
    return values.text(this.value);
  }

  /** A whole number, or a text that spells one, bare or in `{"value": …}`. */
  integer(): number | undefined {
    return values.integer(this.value);
  }

  /** A finite number, or a text that spells one, bare or in `{"value": …}`. */
  number(): number | undefined {
    return values.number(this.value);
  }

  /** The `unit` beside a value or a range: `rupees`, `quantity` … */
  unit(): string | undefined {
    const unit = isObject(this.value) ? this.value["unit"] : undefined;
    return typeof unit === "string" ? unit : undefined;
  }

  /** The day in `{"value": {"dd": 23, "mm": 12, "yy": 2019, "type": "date"}}`, wrapped or not; none where the calendar has no such day. */
  date(): PlainDate | undefined {
    return values.date(this.value);
  }

  /** The time of day in `{"hh": 3, "mm": 0, "nn": "pm"}`, wrapped or not. */
  time(): PlainTime | undefined {
    return values.time(this.value);
  }

  /** The range in `{"min_value": "200000", "max_value": null, "unit": "rupees"}`, wrapped or not. */
  range(): Range | undefined {
    return values.range(this.value);
  }
}

/** What the platform detected: a list of values under each name, in the order in which they came.
 *
 * A name is absent when nothing was detected, and its list may hold several values. The methods read the first value of a name. */
export class Entities {
  readonly #entities: Map<string, readonly Entity[]>;

  /** Reads the platform's object of lists. Throws {@link BotError} if it is none. A value that stands alone is a list of one. */
  constructor(given?: unknown) {
    const listed = Object.entries(object("entities", given));
    this.#entities = new Map(listed.map(([name, found]) => [name, list(found).map((value) => new Entity(value))]));
  }

  /** All values of this name; empty where there are none. */
  get(name: string): readonly Entity[] {
    return this.#entities.get(name) ?? [];
  }

  /** The first value of this name. */
  first(name: string): Entity | undefined {
    return this.get(name)[0];
  }

  /** The first value's {@link Entity.text}. */
  text(name: string): string | undefined {
    return this.first(name)?.text();
  }

  /** The first value's {@link Entity.integer}. */
  integer(name: string): number | undefined {
    return this.first(name)?.integer();
  }

  /** The first value's {@link Entity.number}. */
  number(name: string): number | undefined {
    return this.first(name)?.number();
  }

  /** The first value's {@link Entity.date}. */
  date(name: string): PlainDate | undefined {
    return this.first(name)?.date();
  }

  /** The first value's {@link Entity.time}. */
  time(name: string): PlainTime | undefined {
    return this.first(name)?.time();
  }

  /** The first value's {@link Entity.range}. */
  range(name: string): Range | undefined {
    return this.first(name)?.range();
  }

  /** All names, in order. */
  names(): string[] {
    return [...this.#entities.keys()];
  }
}

/** A JSON text's value. Throws {@link BotError}. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BotError(`the event is not JSON: ${messageOf(error)}`);
  }
}

function object(name: string, given: unknown): Json {
  if (given === undefined || given === null) return {};
  if (!isObject(given)) throw new BotError(`the event cannot be read: ${name} is an object, not ${Array.isArray(given) ? "a list" : `a ${typeof given}`}`);
  return given;
}

function list(found: unknown): unknown[] {
  return Array.isArray(found) ? found : found === null || found === undefined ? [] : [found];
}

/** Odd scalars are read as text. */
function textOf(given: unknown): string | undefined {
  return given === undefined || given === null || typeof given === "object" ? undefined : String(given);
}
