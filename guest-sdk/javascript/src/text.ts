// UTF-8, which an engine without the APIs of the web does not read and write, and texts that can be written as such.

/** The text's bytes; half a surrogate pair becomes U+FFFD. */
export function encoded(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    let code = character.codePointAt(0) ?? 0xfffd;
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), continuation(code));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), continuation(code >> 6), continuation(code));
    else bytes.push(0xf0 | (code >> 18), continuation(code >> 12), continuation(code >> 6), continuation(code));
  }
  return Uint8Array.from(bytes);
}

/** The bytes' text. Throws `RangeError` if they are no UTF-8. */
export function decoded(bytes: Uint8Array): string {
  return read(bytes, (at) => {
    throw new RangeError(`byte ${at} is no UTF-8`);
  });
}

/** The bytes' text, with U+FFFD where they are no UTF-8, as often as https://encoding.spec.whatwg.org/#utf-8-decoder has it. */
export function replaced(bytes: Uint8Array): string {
  return read(bytes, () => "\ufffd");
}

/** The text with U+FFFD for each half of a surrogate pair: the host takes no other. */
export function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udfff]/gu, "\ufffd");
}

/** The text, or as much of it as has so many characters with the `…` at its end. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  // No more than can decide it.
  const characters = [...text.slice(0, 2 * most + 1)];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}…`;
}

function read(bytes: Uint8Array, replacement: (at: number) => string): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const found = characterAt(bytes, at);
    parts.push(found < 0 ? replacement(at) : String.fromCodePoint(found));
    at += found < 0 ? -found : found < 0x80 ? 1 : found < 0x800 ? 2 : found < 0x10000 ? 3 : 4;
  }
  return parts.join("");
}

/** The character that begins here; where none does, how many bytes are none together, below 0. */
function characterAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return first;
  const more = first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : 0;
  let code = first & (0x3f >> more);
  for (let next = 1; next <= more; next += 1) {
    const byte = bytes[at + next] ?? 0;
    const [least, most] = next === 1 ? second(first) : [0x80, 0xbf];
    if (byte < least || byte > most) return -next;
    code = (code << 6) | (byte & 0x3f);
  }
  return more === 0 ? -1 : code;
}

/** What the second byte is at least and at most: nothing is longer than it need be, half of a surrogate pair, or beyond Unicode. */
function second(first: number): [least: number, most: number] {
  return [first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80, first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf];
}

function continuation(code: number): number {
  return 0x80 | (code & 0x3f);
}
