import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { BotError, Entity, Event, Fields, PLATFORM } from "codenode";
import * as testing from "codenode/testing";

/** What every SDK reads alike: pairs of a value and of what it is, null if it is nothing. */
const VALUES = JSON.parse(readFileSync(fixture("values.json"), "utf8")) as Record<"integer" | "date" | "time", [unknown, unknown][]>;

const entitiesOf = (value: unknown) => testing.event("X", { entities: { it: value } }).entities;

test("the form of 2018 is an event", () => {
  const event = Event.parse(
    `{"node":"ORDER_STATUS","event":"API_INTEGRATION","user":{"user_name":"u1","full_name":"","device_platform":5},
      "entities":{"product_id":[{"detection":"message","original_text":"71","entity_value":"71"}]}}`,
  );
  assert.deepEqual([event.node, event.event, event.user.userName], ["ORDER_STATUS", "API_INTEGRATION", "u1"]);
  assert.deepEqual([event.user.devicePlatform, event.user.userId], [PLATFORM.web, undefined]);
  assert.deepEqual([event.entities.text("product_id"), event.conversationNo], ["71", undefined]);
  assert.deepEqual(event.extra.names(), []);
});

test("the form of 2023 says step and more", () => {
  const event = Event.parse(
    `{"step":"LEAD","event":"NEW","user_data":{"user_id":9,"full_name":"आशा","device_platform":"99","language_code":"hi","vip":true},
      "conversation_no":"3","user_details":{"phone_number":8826755986,"name":{"value":"A"}},"entities":null,"something_new":{"kept":true}}`,
  );
  assert.deepEqual([event.node, event.event, event.conversationNo], ["LEAD", "NEW", 3]);
  assert.deepEqual([event.user.userId, event.user.fullName, event.user.devicePlatform], ["9", "आशा", 99]);
  assert.deepEqual([event.user.extra.get("vip"), event.extra.toJSON()], [true, { something_new: { kept: true } }]);
  assert.deepEqual([event.userDetails.integer("phone_number"), event.userDetails.text("name")], [8_826_755_986, "A"]);
  assert.deepEqual([event.userDetails.text("phone_number"), event.userDetails.get("toString")], [undefined, undefined]);
});

test("nothing is required, and what cannot be read says why", () => {
  assert.deepEqual([Event.parse("{}").node, Event.parse("{}").user.userName], ["", ""]);
  for (const [text, why] of [
    ["{", /^the event is not JSON: /],
    ["[]", /the event cannot be read: the event is an object, not a list/],
    ['{"user":7}', /the event cannot be read: user is an object, not a number/],
    ['{"entities":{"a":["x"]}}', /the event cannot be read: an entity's value is an object, not a string/],
  ] as const) {
    assert.throws(() => Event.parse(text), (error) => error instanceof BotError && why.test(error.message), text);
  }
});

test("both shapes of a value read alike", () => {
  for (const value of ["71", { value: "71", unit: "quantity" }, { value: " 71 " }]) {
    assert.deepEqual([entitiesOf(value).integer("it"), entitiesOf(value).number("it")], [71, 71]);
  }
  const wrapped = entitiesOf({ value: "71", unit: "quantity" }).first("it");
  assert.deepEqual([wrapped?.text(), wrapped?.unit(), wrapped?.detection], ["71", "quantity", "message"]);
});

test("values are read as the other SDKs read them", () => {
  const written = {
    integer: (entity: Entity) => entity.integer(),
    date(entity: Entity) {
      const date = entity.date();
      return date && [date.year, date.month, date.day];
    },
    time(entity: Entity) {
      const time = entity.time();
      return time && [time.hour, time.minute];
    },
  };
  for (const [kind, read] of Object.entries(written)) {
    const pairs = VALUES[kind as keyof typeof VALUES];
    assert.ok(pairs.length > 0, kind);
    for (const [value, expected] of pairs) {
      assert.deepEqual(read(new Entity({ entity_value: value })) ?? null, expected, `${kind} of ${JSON.stringify(value)}`);
    }
  }
});

test("numbers are finite, and whole ones whole", () => {
  const fields = new Fields({ a: 2, b: 2.5, c: 1e30, d: "Infinity", e: true, f: ["2"], g: "0x10", h: "" });
  assert.deepEqual([..."abcdefgh"].map((name) => fields.integer(name)), [2, undefined, undefined, undefined, undefined, undefined, undefined, undefined]);
  assert.deepEqual([..."abdefgh"].map((name) => fields.number(name)), [2, 2.5, undefined, undefined, undefined, undefined, undefined]);
});

test("dates are those that the calendar has, and times those of the 24-hour clock", () => {
  for (const [value, read] of [
    [{ value: { dd: 23, mm: 12, yy: 2019, type: "date" }, normal: true }, { year: 2019, month: 12, day: 23 }],
    [{ dd: "29", mm: "2", yy: "2024" }, { year: 2024, month: 2, day: 29 }],
    [{ dd: 29, mm: 2, yy: 2023 }, undefined],
    [{ dd: 1, mm: -1, yy: 2020 }, undefined],
    ["23/12/2019", undefined],
  ] as const) {
    assert.deepEqual(entitiesOf(value).date("it"), read);
  }
  for (const [hh, nn, hour] of [[3, "pm", 15], [12, "am", 0], [12, "pm", 12], [15, "hrs", 15], [9, null, 9], [15, "pm"], [2, "df"], [24, ""]] as const) {
    assert.deepEqual(entitiesOf({ hh, mm: 5, nn }).time("it"), hour === undefined ? undefined : { hour, minute: 5 }, `${hh} ${nn}`);
  }
});

test("a range may be open, and odd lists are read as far as they go", () => {
  assert.deepEqual(entitiesOf({ min_value: "200000", max_value: null, unit: "rupees" }).range("it"), { min: 200_000, max: undefined, unit: "rupees" });
  assert.equal(entitiesOf({ value: "2" }).range("it"), undefined);
  const { entities } = new Event({ entities: { none: [], null: null, lone: { entity_value: "x" }, many: [{ entity_value: "a" }, { entity_value: "b" }] } });
  assert.deepEqual([entities.first("none"), entities.first("null"), entities.first("absent")], [undefined, undefined, undefined]);
  assert.deepEqual([entities.text("lone"), entities.get("many").map((one) => one.text())], ["x", ["a", "b"]]);
});

/** A file of `tests/fixtures`: this is run where it stands and, by xtask, further below. */
function fixture(name: string): URL {
  for (let folder = new URL(".", import.meta.url); folder.pathname !== "/"; folder = new URL("..", folder)) {
    const found = new URL(`tests/fixtures/${name}`, folder);
    if (existsSync(found)) return found;
  }
  throw new Error(`there is no tests/fixtures/${name} above ${import.meta.url}`);
}
