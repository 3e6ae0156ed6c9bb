import assert from "node:assert/strict";
import { test } from "node:test";
import { BotError, element, handler, log, Reply } from "codenode";
import * as testing from "codenode/testing";

const shown = (one: element.Element): unknown => JSON.parse((new Reply(one).toJSON()["response"] as string[])[0] ?? "");

test("a reply is written in the platform's form", () => {
  const reply = new Reply(['नमस्ते "आशा"', { type: "SYSTEM", data: { event_name: "chat_complete" } }], {
    status: false,
    conversationDetails: { a: "y" },
    userDetails: { visits: 2 },
    extra: { next: "PAYMENT" },
  });
  assert.equal(
    JSON.stringify(reply),
    String.raw`{"status":false,"response":["नमस्ते \"आशा\"","{\"type\":\"SYSTEM\",\"data\":{\"event_name\":\"chat_complete\"}}"],"conversation_details":{"a":"y"},"user_details":{"visits":2},"next":"PAYMENT"}`,
  );
  assert.equal(JSON.stringify(new Reply([])), '{"status":true,"response":[]}');
  assert.throws(() => new Reply("a", { extra: { status: true } }), /extra cannot have status/);
});

test("a message is a text or an element, and nothing else", () => {
  for (const message of [undefined, null, 5, true, ["a"], {}, { type: "" }, { type: "TEXT", data: [] }, Promise.resolve("a"), new Date(0)]) {
    for (const messages of [message, ["a", message]]) {
      // A list in the place of a message is one of messages.
      if (Array.isArray(message) && messages === message) continue;
      assert.throws(() => new Reply(messages as never), { name: "TypeError", message: /^a message is a text or an element, .*, not / }, String(message));
    }
  }
  assert.deepEqual(new Reply([element.text("a"), "b", { type: "SILENT" } as never]).texts, ["b"]);
});

test("what JSON cannot say is refused, and half of a surrogate pair is none", () => {
  const told = (reply: unknown) => {
    try {
      return handler(() => reply as Reply)("{}");
    } catch (error) {
      return error;
    }
  };
  assert.equal(told(new Reply("a", { conversationDetails: { a: NaN } })), "the reply cannot be JSON: a is NaN, and JSON has no such number");
  assert.equal(told(new Reply({ type: "A", data: { b: [-Infinity] } })), "the reply cannot be JSON: 0 is -Infinity, and JSON has no such number");
  assert.equal(told(new Reply("a", { userDetails: null as never, extra: null as never })), '{"status":true,"response":["a"]}');
  assert.equal(told({ toJSON() {} }), "the reply cannot be JSON: its toJSON gives nothing");
  const halves = new Reply(["a\ud83d", "\\ud83d \ud83d\ude0a", element.text("\ude0a")], { extra: { "\ud800": "\ud83d" } });
  assert.deepEqual(JSON.parse(String(told(halves))), {
    status: true,
    response: ["a\ufffd", "\\ud83d 😊", '{"text":"\ufffd","type":"TEXT","data":{"quick_replies":[]}}'],
    "\ufffd": "\ufffd",
  });
});

test("quick replies and buttons have the platform's keys", () => {
  assert.deepEqual(shown(element.text("Sure?", [element.say("Yes", { sends: "cancel order 71", emoji: "👍" })])), {
    text: "Sure?", type: "TEXT", data: { quick_replies: [{
      actionable_text: "Yes", location_required: false, is_default: 0, uri: "", type: "TEXT_ONLY",
      payload: { message: "Yes", gogo_message: "cancel order 71" }, emoji: "👍",
    }] },
  });
  const call = element.action("Call us", { uri: "CALL", payload: { contact_number: "100" }, withLocation: true, preselected: true });
  assert.deepEqual(shown(element.button("Help", [call, element.link("Shop", "https://example.com")])), {
    text: "Help", type: "BUTTON", data: { items: [
      { actionable_text: "Call us", location_required: true, is_default: 1, uri: "CALL", type: "APP_ACTION", payload: { contact_number: "100" } },
      { actionable_text: "Shop", location_required: false, is_default: 0, uri: "LINK", type: "APP_ACTION", payload: { url: "https://example.com" } },
    ] },
  });
  assert.deepEqual(shown(element.text("Hi")), { text: "Hi", type: "TEXT", data: { quick_replies: [] } });
});

test("cards and forms have the platform's keys", () => {
  const card = { title: "Speaker", subTitle: "₹1500", description: "Loud", image: "https://example.com/s.png", actions: [element.say("Buy")] };
  assert.deepEqual(shown(element.carousel("Our best", [card], { aspectRatio: "1.77", width: "FAT" })), {
    text: "Our best", type: "CAROUSEL", data: { image_aspect_ratio: "1.77", width: "FAT", items: [{
      title: "Speaker", sub_title: "₹1500", description: "Loud", thumbnail: { image: "https://example.com/s.png", type: "LANDSCAPE" },
      actionables: [element.say("Buy")],
    }] },
  });
  assert.match(JSON.stringify(shown(element.image("https://example.com/s.png"))), /LANDSCAPE/);
  const form = element.form("Your visit", [
    { key: "name", kind: "text", hint: "Your name", keyboard: "default" },
    { key: "size", kind: "slider", options: ["S", "M"] },
  ], { subtitle: "Takes a minute" });
  assert.deepEqual(shown(form), {
    title: "Your visit", subtitle: "Takes a minute", type: "FORM", data: { fields: [
      { key: "name", type: "text", keyboard_type: "default", order: 1, hint: "Your name", options: [] },
      { key: "size", type: "slider", order: 2, hint: "", options: ["S", "M"] },
    ] },
  });
});

test("a run keeps the reply and the lines", () => {
  const handle = handler((event) => {
    log.info(`asked by ${event.user.fullName}`);
    log.warn(7);
    const greeting = event.envVariables.text("GREETING");
    if (greeting === undefined) throw new BotError("no greeting");
    return new Reply(greeting);
  });
  const greeted = testing.run(handle, testing.event("HELLO", { user: { full_name: "आशा" }, env: { GREETING: "नमस्ते" } }));
  assert.deepEqual([greeted.texts, greeted.json], [["नमस्ते"], { status: true, response: ["नमस्ते"] }]);
  assert.deepEqual(greeted.logs, [{ level: "info", context: "", message: "asked by आशा" }, { level: "warn", context: "", message: "7" }]);
  const broken = testing.run(handle, testing.event("HELLO"));
  assert.equal(broken.error, "no greeting");
  assert.throws(() => broken.reply, /the handler gave no reply: BotError: no greeting/);
  assert.throws(() => greeted.error, /the handler gave a reply/);
});

test("an async handler is waited for, and its fetch answered", async (t) => {
  t.after(testing.fetching((url) => ({ json: async () => ({ asked: url }) })).end);
  const handle = handler(async () => {
    const response = await fetch("https://a.example/");
    const { asked } = (await response.json()) as { asked: string };
    if (asked === "") throw new Error("nothing was asked");
    return new Reply(asked);
  });
  assert.deepEqual((await testing.runAsync(handle, testing.event("X"))).texts, ["https://a.example/"]);
  assert.equal(await handle("{}"), '{"status":true,"response":["https://a.example/"]}');
  t.after(testing.fetching(() => Promise.reject(new TypeError("no"))).end);
  assert.equal((await testing.runAsync(handle, testing.event("X"))).error, "TypeError: no");
  await assert.rejects(handle("{}"), (error) => error === "TypeError: no");
});

test("the host is given text, and told of errors in one line", () => {
  const handle = handler((event) => {
    if (event.node === "BREAKS") throw new TypeError("not\nthis");
    return event.node === "NONE" ? (undefined as never) : new Reply(event.node);
  });
  assert.equal(handle('{"step":"ORDER"}'), '{"status":true,"response":["ORDER"]}');
  const told = (event: string) => {
    try {
      return handle(event);
    } catch (error) {
      return error;
    }
  };
  assert.equal(told('{"node":"BREAKS"}'), "TypeError: not this");
  assert.equal(told('{"node":"NONE"}'), "handle returned undefined: return a Reply, or an object");
  assert.match(String(told("{")), /^the event is not JSON: /);
});
