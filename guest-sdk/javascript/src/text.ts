// UTF-8: an engine without the APIs of the web has no `TextEncoder`.

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
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1;
    let code = more <= 0 ? first : first & (0x3f >> more);
    for (let next = 1; next <= more; next += 1) {
      const byte = bytes[at + next] ?? 0;
      if ((byte & 0xc0) !== 0x80) throw notText(at);
      code = (code << 6) | (byte & 0x3f);
    }
    const isTooLong = (more === 2 && code < 0x800) || (more === 3 && code < 0x10000);
    if (more < 0 || isTooLong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw notText(at);
    parts.push(String.fromCodePoint(code));
    at += 1 + more;
  }
  return parts.join("");
}

function continuation(code: number): number {
  return 0x80 | (code & 0x3f);
}

function notText(at: number): RangeError {
  return new RangeError(`byte ${at} is no UTF-8`);
}
