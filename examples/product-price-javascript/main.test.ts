import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Event } from "codenode";
import * as testing from "codenode/testing";
import { handle } from "./main.js";

const askedFor = (product: string) => testing.run(handle, testing.event("PRODUCT_PRICE", { entities: { product_name: product } }));

test("known products have a price", () => {
  assert.deepEqual(askedFor("speaker").texts, ["The price of the speaker is ₹1500."]);
  assert.deepEqual(askedFor("powerbank").texts, ["The price of the powerbank is ₹1000."]);
});

test("anything else is not sold", () => {
  const run = askedFor("elephant");
  assert.deepEqual(run.texts, ["Sorry, we don't sell that."]);
  assert.equal(run.reply.status, false);
});

test("the event's file is answered", () => {
  const event = Event.parse(readFileSync(new URL("../event.json", import.meta.url), "utf8"));
  assert.deepEqual(testing.run(handle, event).texts, ["The price of the speaker is ₹1500."]);
});
