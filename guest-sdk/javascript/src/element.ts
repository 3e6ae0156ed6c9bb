// Message elements: what a bot can show beside plain text. What a channel cannot show, the platform converts: Facebook cuts captions at 20 to 25 characters,
// WhatsApp numbers the choices.

import type { Json } from "./values.js";

/** What happens when an action is pressed. The platform may know more. */
export type ActionKind = "APP_ACTION" | "MESSAGE_BAR" | "TEXT" | "TEXT_ONLY" | "FORM_SHOW" | "SHARE" | (string & {});

/** Where an action of the kind `APP_ACTION` leads. The platform may know more. */
export type Uri = "" | "LINK" | "CALL" | "GALLERY_PICKER" | "SEND_LOCATION" | "LAUNCH_CHANNEL" | (string & {});

/** How wide the cards of a carousel are. */
export type Width = "THIN" | "MEDIUM" | "FAT" | "BIG" | (string & {});

/** What a field of a form asks for. The platform may know more. */
export type FieldKind =
  | "text" | "picker" | "time" | "date" | "startdate" | "enddate" | "search" | "dob" | "multiselectpicker" | (string & {});

/** Anything that a reply can show which is not plain text, as the platform has it. One that has no function here, such as `SYSTEM`, is written out. */
export interface Element {
  readonly type: string;
  readonly data: Json;
  readonly text?: string;
  readonly title?: string;
  readonly subtitle?: string;
  readonly isNew?: boolean;
  readonly voice_text?: string;
}

/** Something to press: a quick reply, a button, or an action of a card. */
export interface Action {
  readonly actionable_text: string;
  readonly location_required: boolean;
  readonly is_default: 0 | 1;
  readonly uri: Uri;
  readonly type: ActionKind;
  readonly payload: Json;
  readonly emoji?: string;
}

export interface ActionOptions {
  readonly kind?: ActionKind;
  readonly uri?: Uri;
  readonly payload?: Json;
  /** Beside the caption. */
  readonly emoji?: string;
  /** Asks the user to share the place first. */
  readonly withLocation?: boolean;
  /** It is the one that is chosen already. */
  readonly preselected?: boolean;
}

/** An action of any kind. */
export function action(caption: string, options: ActionOptions = {}): Action {
  return {
    actionable_text: caption,
    location_required: options.withLocation ?? false,
    is_default: options.preselected ? 1 : 0,
    uri: options.uri ?? "",
    type: options.kind ?? "APP_ACTION",
    payload: options.payload ?? {},
    ...(options.emoji === undefined ? {} : { emoji: options.emoji }),
  };
}

/** Pressing it says the caption, in the chat and to the bot; `sends` is what the bot receives in its place, such as `track order 71`. */
export function say(caption: string, options: { sends?: string; emoji?: string; preselected?: boolean } = {}): Action {
  const { sends, ...others } = options;
  return action(caption, { ...others, kind: "TEXT_ONLY", payload: { message: caption, gogo_message: sends ?? caption } });
}

/** Pressing it opens a page. */
export function link(caption: string, url: string, options: { emoji?: string } = {}): Action {
  return action(caption, { ...options, uri: "LINK", payload: { url } });
}

/** `TEXT`: a text with quick replies below it, which go away once one is pressed. */
export function text(words: string, quickReplies: readonly Action[] = []): Element {
  return { text: words, type: "TEXT", data: { quick_replies: quickReplies } };
}

/** `BUTTON`: a text with buttons, which stay. */
export function button(words: string, items: readonly Action[] = []): Element {
  return { text: words, type: "BUTTON", data: { items } };
}

export interface Card {
  readonly title: string;
  /** The line below the title. */
  readonly subTitle?: string;
  /** The text below that. */
  readonly description?: string;
  /** The picture, by its URL. */
  readonly image?: string;
  readonly actions?: readonly Action[];
}

/** `CAROUSEL`: cards side by side, below a text. The aspect ratio is the pictures' width divided by their height: a number, or a text that spells one. */
export function carousel(words: string, cards: readonly Card[], options: { aspectRatio?: number | string; width?: Width } = {}): Element {
  const items = cards.map((card) => ({
    title: card.title,
    sub_title: card.subTitle ?? "",
    description: card.description ?? "",
    ...(card.image === undefined ? {} : { thumbnail: { image: card.image, type: "LANDSCAPE" } }),
    actionables: card.actions ?? [],
  }));
  return { text: words, type: "CAROUSEL", data: { image_aspect_ratio: options.aspectRatio ?? 1, width: options.width ?? "MEDIUM", items } };
}

/** A picture by its URL, with nothing around it: a carousel of one card. */
export function image(url: string): Element {
  return carousel("", [{ title: "", image: url }]);
}

export interface Field {
  /** The key under which its answer comes back. */
  readonly key: string;
  readonly kind: FieldKind;
  /** What the empty field shows. */
  readonly hint?: string;
  /** The keyboard that a phone brings up, by the platform's name for it. */
  readonly keyboard?: string;
  /** What can be chosen from. */
  readonly options?: readonly unknown[];
}

/** `FORM`: several things asked for at once. */
export function form(title: string, fields: readonly Field[], options: { subtitle?: string } = {}): Element {
  const listed = fields.map((field, at) => ({
    key: field.key,
    type: field.kind,
    ...(field.keyboard === undefined ? {} : { keyboard_type: field.keyboard }),
    order: at + 1,
    hint: field.hint ?? "",
    options: field.options ?? [],
  }));
  return { title, ...options, type: "FORM", data: { fields: listed } };
}
