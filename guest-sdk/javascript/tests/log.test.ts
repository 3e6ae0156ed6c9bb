import assert from "node:assert/strict";
import { test } from "node:test";
import { BotError, handler, log, Reply } from "codenode";
import * as testing from "codenode/testing";

/** What the host is told of an error. */
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
  assert.equal(told(new BotError(`${"x".repeat(998)}😊y`)), `${"x".repeat(998)}😊y`);
  assert.equal(told(new BotError(`${"x".repeat(998)}😊yz`)), `${"x".repeat(998)}😊…`);
  assert.equal(told(new BotError("a\ud83d\nb")), "a\ufffd b");
  assert.equal(told(`${"x".repeat(57)}😊${"y".repeat(9)}`), `"${"x".repeat(57)}😊… (string) was thrown, which is no Error`);
});

test("the engine's own want of memory is told as such, and nobody else's", (t) => {
  const thrown = (name: string, message: string) => Object.assign(new Error(message), { name });
  assert.equal(told(thrown("InternalError", "out of memory")), "out of memory: InternalError: out of memory");
  assert.match(told("out of memory"), /^out of memory: "out of memory" /);
  assert.equal(told(new Error("out of memory")), "Error: out of memory");
  assert.equal(told(thrown("InternalError", "stack overflow")), "InternalError: stack overflow");
  assert.equal(told(null), "null was thrown, which is no Error");
  Object.assign(globalThis, { __cqjs: {} });
  t.after(() => Reflect.deleteProperty(globalThis, "__cqjs"));
  assert.equal(told(null), "out of memory: null was thrown, which is no Error");
});

test("an error that cannot be told says so", () => {
  const starved = thrower(Object.assign(new Error("out of memory"), { name: "InternalError" }));
  assert.equal(told(Object.defineProperty(new Error(), "name", starved)), "out of memory: what went wrong cannot be told");
  assert.equal(told(Object.defineProperty(new Error(), "name", thrower(new TypeError()))), "what went wrong cannot be told");
});

function thrower(error: Error): PropertyDescriptor {
  return {
    get() {
      throw error;
    },
  };
}
