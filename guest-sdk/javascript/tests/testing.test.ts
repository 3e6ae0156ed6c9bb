import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { API_INTEGRATION, BotError, handler, kv, log, Reply } from "codenode";
import * as testing from "codenode/testing";

test("what the host would not take as a reply is none, and keeps nothing", (t) => {
  t.after(testing.kv().end);
  for (const [given, why] of [
    [{ response: [7] }, "the reply has the wrong shape: `response[0]` is neither a string nor a message element"],
    [{ response: ["a", { text: "x" }] }, "the reply has the wrong shape: `response[1]` is not a message element: missing field `type`"],
    [{ response: [{ type: 1 }] }, "the reply has the wrong shape: `response[0]` is not a message element: its `type` is not a string"],
    [{ response: [{ type: "" }] }, "the reply has the wrong shape: `response[0]` is not a message element: its `type` is empty"],
    [{ response: [{ type: "A", data: [] }] }, "the reply has the wrong shape: `response[0]` is not a message element: its `data` is not an object"],
    [{ response: [{ type: "A", text: 1 }] }, "the reply has the wrong shape: `response[0]` is not a message element: its `text` or its `title` is not a string"],
    [{ response: "a" }, "the reply has the wrong shape: `response` must be a list of messages"],
    [{ response: ["a"], status: "yes" }, "the reply has the wrong shape: `status` must be true or false"],
    [{ response: ["a"], user_details: [] }, "the reply has the wrong shape: `user_details` must be an object"],
    [{ response: ["\0"] }, "the reply has the wrong shape: a string holds the character \\u0000, which not every store can keep"],
    [{ toJSON: () => 7 }, 'the reply has the wrong shape: it is no object such as {"status":true,"response":["…"]}'],
    [{ response: [] }, "the reply has no message: `response` is an empty list"],
    [{}, "the reply has no message: `response` is absent"],
    [new Reply([]), "the reply has no message: `response` is an empty list"],
    ["a", 'handle returned "a" (string): return a Reply, or an object'],
  ] as const) {
    const run = testing.run(() => (kv.node().set("a", "x"), given), testing.event("X"));
    assert.deepEqual([run.error, kv.node().exists("a")], [why, false]);
  }
  const run = testing.run(() => (kv.node().set("a", "x"), { response: ["\\u0000", { type: "SILENT", data: null }] }), testing.event("X"));
  assert.deepEqual([run.texts, kv.node().exists("a")], [["\\u0000"], true]);
});

test("a promise is no reply where nobody waits", async (t) => {
  t.after(testing.kv().end);
  for (const handle of [
    async () => (kv.node().set("a", "x"), new Reply("a")),
    async () => Promise.reject(new Error("nobody hears of it")),
    () => ({ then: () => undefined }),
  ]) {
    const run = testing.run(handle, testing.event("X"));
    assert.deepEqual([run.error, kv.node().exists("a")], ["handle is async, which QuickJS does not wait for: write it without, or keep it as a source", false]);
  }
  const waited = await testing.runAsync(async () => (kv.node().set("a", "x"), { response: ["a"] }), testing.event("X"));
  assert.deepEqual([waited.texts, kv.node().exists("a")], [["a"], true]);
});

test("a function that handler has not made is given the event's object, anew each time", () => {
  const event = testing.event("ORDER", { entities: { id: "71" }, extra: { step: "LATER" } });
  const handle = (given: { node: string; step?: string; entities: { id: { entity_value: string }[] } }) => {
    assert.equal(given.step, "LATER");
    delete given.step;
    return { status: false, response: [`${given.node} ${given.entities.id[0]?.entity_value}`], tier: "gold" };
  };
  for (const run of [testing.run(handle, event), testing.run(handle, event)]) {
    assert.deepEqual([run.texts, run.reply.status], [["ORDER 71"], false]);
    assert.deepEqual(run.json, { status: false, response: ["ORDER 71"], tier: "gold" });
  }
  const made = handler((given) => new Reply(`${given.node} ${given.entities.text("id")}`));
  assert.deepEqual(testing.run(made, event).texts, ["ORDER 71"]);
  assert.deepEqual(JSON.parse(made(JSON.stringify(event))), { status: true, response: ["ORDER 71"] });
});

test("bytes that are kept are nobody's to change", (t) => {
  t.after(testing.kv().end);
  const bytes = Uint8Array.of(1);
  kv.node().set("a", bytes);
  bytes[0] = 9;
  for (const found of [kv.node().get("a"), kv.node().getMany(["a"])[0]]) {
    assert.deepEqual(found, Uint8Array.of(1));
    found?.fill(9);
  }
  kv.node().update("a", (found) => (found?.fill(9), undefined));
  const changed = kv.node().update("a", () => bytes);
  changed?.fill(7);
  assert.deepEqual(kv.node().get("a"), Uint8Array.of(9));
});

test("lines of no run are printed", (t) => {
  const printed = t.mock.method(console, "error", () => undefined);
  log.info("a", 1);
  log.write("warn", "shop", "closed");
  assert.deepEqual(printed.mock.calls.map(({ arguments: [line] }) => line), ["INFO a 1", "WARN shop: closed"]);
});

test("an event is read from a file", (t) => {
  const file = join(tmpdir(), `codenode-event-${process.pid}.json`);
  t.after(() => rmSync(file));
  writeFileSync(file, JSON.stringify({ step: "ORDER", event: API_INTEGRATION }));
  const event = testing.eventFile(file);
  assert.deepEqual([event.node, event.event], ["ORDER", "API_INTEGRATION"]);
  writeFileSync(file, "[]");
  assert.throws(() => testing.eventFile(file), (error) => error instanceof BotError && /the event is an object/.test(error.message));
});
