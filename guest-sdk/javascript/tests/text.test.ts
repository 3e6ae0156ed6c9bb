import assert from "node:assert/strict";
import { test } from "node:test";
import { cut, decoded, encoded, replaced, wellFormed } from "../dist/text.js";
import * as ours from "../dist/globals.js";

/** Every end and beginning of a range that UTF-8 knows, and what lies beside it. */
const EDGES = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff];

test("text is UTF-8 both ways, as the engine's own", () => {
  for (const text of ["", "a", "é", "नमस्ते 😊", "\ud800x", "\uffff", "\u{10ffff}"]) {
    assert.deepEqual(encoded(text), new TextEncoder().encode(text));
    assert.equal(decoded(encoded(text)), new TextDecoder("utf-8", { ignoreBOM: true }).decode(encoded(text)));
  }
  for (const bytes of [[0x80], [0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x80, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf5], [0xc3], [0xe2, 0x82]]) {
    assert.throws(() => decoded(Uint8Array.from(bytes)), /is no UTF-8/, String(bytes));
  }
});

test("bytes that are no UTF-8 are replaced as the engine replaces them", () => {
  const engines = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const a of EDGES) {
    for (const b of EDGES) {
      for (const c of EDGES) {
        const bytes = Uint8Array.of(a, b, c, 0x80, 0x41);
        assert.equal(replaced(bytes), engines.decode(bytes), String(bytes));
      }
    }
  }
});

test("TextDecoder takes what the web's takes, and refuses in words what it does not know", () => {
  const hello = encoded("\ufeffhello");
  for (const input of [hello, hello.buffer, new DataView(hello.buffer), undefined]) {
    for (const options of [{}, { ignoreBOM: true }, { fatal: true }]) {
      assert.equal(new ours.TextDecoder("utf-8", options).decode(input), new TextDecoder("utf-8", options).decode(input as Uint8Array));
    }
  }
  const part = new Uint8Array(Uint8Array.of(0xff, 0x61, 0x62, 0xff).buffer, 1, 2);
  assert.equal(new ours.TextDecoder(" UTF8 ").decode(part), "ab");
  assert.equal(new ours.TextDecoder().decode(Uint8Array.of(0x61, 0xff)), "a\ufffd");
  assert.throws(() => new ours.TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.of(0xff)), { name: "TypeError", message: /byte 0 is no UTF-8/ });
  assert.throws(() => new ours.TextDecoder("latin1"), { name: "RangeError", message: /latin1: only utf-8 is known here/ });
  assert.throws(() => new ours.TextDecoder().decode("hello"), { name: "TypeError", message: /an ArrayBuffer, or a view of one/ });
  assert.throws(() => new ours.TextDecoder().decode(hello, { stream: true }), /decode all of the bytes at once/);
});

test("halves of surrogate pairs are replaced, and whole ones are never cut", () => {
  assert.equal(wellFormed("a\ud83d b\ude0a \ud83d\ude0a\ud83d"), "a\ufffd b\ufffd 😊\ufffd");
  assert.equal(cut("x".repeat(10), 10), "x".repeat(10));
  assert.equal(cut("😊".repeat(10), 10), "😊".repeat(10));
  assert.equal(cut("😊".repeat(11), 10), `${"😊".repeat(9)}…`);
  assert.equal(cut(`${"x".repeat(8)}😊y${"z".repeat(99)}`, 10), `${"x".repeat(8)}😊…`);
});
