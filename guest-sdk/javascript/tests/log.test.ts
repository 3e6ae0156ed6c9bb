import assert from "node:assert/strict";
import { test } from "node:test";
import { BotError, handler, log, Reply } from "codenode";
import * as testing from "codenode/testing";

const linesOf = (work: () => void) => testing.run(handler(() => (work(), new Reply("a"))), testing.event("X")).logs;

test("what is logged is written as console writes it", () => {
  const round: Record<string, unknown> = {};
  round["itself"] = round;
  const bare: Record<string, unknown> = Object.create(null);
  bare["itself"] = bare;
  const logged = linesOf(() => {
    log.info({ a: [1, "b"] }, "and", 7, undefined, null);
    log.info(Object.create(null), Symbol("s"), 5n, new TypeError("no"), new Error());
    log.info(round, bare);
    log.write("critical", "shop", "closed");
  });
  assert.deepEqual(logged.map(({ message }) => message), [
    '{"a":[1,"b"]} and 7 undefined null',
    "{} Symbol(s) 5 TypeError: no Error",
    "[object Object] what cannot be shown",
    "closed",
  ]);
  assert.deepEqual(logged.at(-1), { level: "critical", context: "shop", message: "closed" });
});

test("what the host is told of an error is text that it can take, cut between characters", () => {
  const told = (error: unknown) => {
    try {
      handler((): Reply => {
        throw error;
      })("{}");
    } catch (line) {
      return String(line);
    }
    return "a reply";
  };
  assert.equal(told(new BotError(`${"x".repeat(998)}😊y`)), `${"x".repeat(998)}😊y`);
  assert.equal(told(new BotError(`${"x".repeat(998)}😊yz`)), `${"x".repeat(998)}😊…`);
  assert.equal(told(new BotError("a\ud83d\nb")), "a\ufffd b");
  assert.equal(told(`${"x".repeat(57)}😊${"y".repeat(9)}`), `"${"x".repeat(57)}😊… (string) was thrown, which is no Error`);
});
