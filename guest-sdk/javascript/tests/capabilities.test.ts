import assert from "node:assert/strict";
import { test } from "node:test";
import { config, handler, kv, messages, otp, Reply, type Event } from "codenode";
import * as testing from "codenode/testing";
import { host, Refusal, runOn, type OpenBucket } from "../dist/host.js";
import { refusal, told, type Reason } from "../dist/refusals.js";
import { decoded, encoded } from "../dist/text.js";

const refused = (reason: kv.Reason, why: RegExp) => (error: unknown) => error instanceof kv.KvError && error.reason === reason && why.test(error.message);

test("what a run writes is kept if it replies", (t) => {
  const kept = testing.kv();
  t.after(kept.end);
  const handle = (event: Event) => {
    kv.node().set("a", event.node);
    kv.node().increment("tries");
    assert.equal(kv.node().text("a"), event.node);
    if (event.node === "BREAKS") throw new Error();
    return new Reply("kept");
  };
  testing.run(handle, testing.event("BREAKS"));
  assert.deepEqual([kv.node().text("a"), kv.node().json("tries")], [undefined, 1]);
  testing.run(handle, testing.event("X"));
  assert.deepEqual([kv.node().text("a"), kv.node().json("tries"), kv.tenant().get("a")], ["X", 2, undefined]);
});

test("entries expire, and all keys come page by page in the order of their bytes", (t) => {
  const kept = testing.kv();
  t.after(kept.end);
  kv.node().keepFor(3600).set("a", "x");
  kv.node().set("b", Uint8Array.of(1));
  kept.advance(3599);
  assert.equal(kv.node().exists("a"), true);
  kept.advance(1);
  assert.deepEqual([kv.node().exists("a"), [...kv.node().keys()]], [false, ["b"]]);
  const keys = Array.from({ length: 230 }, (_, at) => String(at).padStart(3, "0"));
  for (const key of ["é", ...keys]) kv.tenant().set(key, "x");
  assert.deepEqual([...kv.tenant().keys()], [...keys, "é"]);
  kv.tenant().delete("000");
  assert.equal([...kv.tenant().keys()].length, 230);
});

test("an update is tried again while others change the entry", (t) => {
  const kept = testing.kv();
  t.after(kept.end);
  const later = (before: Uint8Array | undefined) => {
    if (before === undefined) kv.node().increment("a");
    return `${before === undefined ? "" : decoded(before)}x`;
  };
  assert.deepEqual(kv.node().update("a", later), encoded("1x"));
  assert.deepEqual(kv.node().updateJson("list", (found) => [...((found as number[] | undefined) ?? []), 1]), [1]);
  assert.throws(() => kv.node().update("n", () => String(kv.node().increment("n"))), refused("contended", /others have changed it 10 times/));
  assert.equal(kv.node().update("a", () => undefined), undefined);
});

test("what cannot be is refused in words", (t) => {
  const kept = testing.kv();
  t.after(kept.end);
  const bucket = kv.node();
  bucket.set("a", "007");
  bucket.set("bytes", Uint8Array.of(0xff));
  assert.throws(() => bucket.get(""), refused("invalid", /a key is a string of 1 to 512 bytes/));
  assert.throws(() => bucket.get("é".repeat(257)), refused("invalid", /at most 512 bytes/));
  assert.throws(() => bucket.set("a\ud83d", "x"), refused("invalid", /a\ufffd: a key is UTF-8/));
  assert.throws(() => bucket.setJson("n", { a: [NaN] }), refused("invalid", /n: its value cannot be JSON: 0 is NaN, and JSON has no such number/));
  assert.throws(() => bucket.get("\0"), refused("invalid", /no NUL/));
  assert.throws(() => bucket.set("a?ttl=5", "x"), refused("invalid", /use keepFor/));
  assert.throws(() => bucket.set("a", new Uint8Array(262_145)), refused("invalid", /at most 256 KiB/));
  assert.throws(() => bucket.set("a", 7 as never), /a value is a string or a Uint8Array; use setJson/);
  assert.throws(() => bucket.keepFor(0), refused("invalid", /1 second to 366 days/));
  assert.throws(() => bucket.setJson("a", undefined), refused("invalid", /cannot be JSON/));
  assert.throws(() => bucket.increment("a"), refused("failed", /no whole number/));
  assert.throws(() => bucket.increment("a", 0.5), refused("invalid", /whole number/));
  assert.throws(() => bucket.json("bytes"), refused("unreadable", /cannot be read as text: byte 0 is no UTF-8/));
});

test("a code is right once and has few tries", (t) => {
  const kept = testing.kv();
  t.after(kept.end);
  const codes = new otp.Codes({ digits: 12, goodFor: 60, tries: 2 });
  const code = codes.issue("a");
  assert.match(code, /^\d{12}$/u);
  assert.equal(codes.verify("b", code).kind, "no code");
  assert.deepEqual(codes.verify("a", code.slice(1)), { kind: "wrong", triesLeft: 1 });
  assert.equal(codes.verify("a", ` ${code}\n`).kind, "right");
  assert.equal(codes.verify("a", code).kind, "too many tries");
  const next = codes.issue("a");
  kept.advance(60);
  assert.equal(codes.verify("a", next).kind, "no code");
});

test("a code that was right is used up at once, whatever becomes of the run", (t) => {
  const kept = testing.kv();
  t.after(kept.end);
  const codes = new otp.Codes({ goodFor: 60 });
  const code = codes.issue("a");
  const handle = handler(() => {
    if (codes.verify("a", code).kind === "right") throw new Error("the shop does not answer");
    return new Reply("no code");
  });
  assert.match(testing.run(handle, testing.event("X")).error, /the shop does not answer/);
  assert.equal(codes.verify("a", code).kind, "no code");
  assert.equal(codes.verify("a", "").kind, "no code");
  kept.advance(60);
  assert.deepEqual([...kv.node().keys()], []);
});

test("of two who type a code at the same time one is right", (t) => {
  t.after(testing.kv().end);
  const one = new otp.Codes();
  const code = one.issue("a");
  const before = host();
  t.after(() => runOn(before));
  let others: string | undefined;
  // The other one comes between this one's look at the code and its answer.
  runOn({
    ...before,
    open: (name) => {
      const bucket = before.open(name);
      return {
        ...bucket,
        see: (key) => {
          const seen = bucket.see(key);
          others ??= one.verify("a", code).kind;
          return seen;
        },
      };
    },
  });
  assert.equal(new otp.Codes().verify("a", code).kind, "no code");
  assert.equal(others, "right");
});

test("a number of tries or of digits that is none is refused", (t) => {
  t.after(testing.kv().end);
  for (const tries of [Number(undefined), 2.5, Infinity, "3" as never]) {
    assert.throws(() => new otp.Codes({ tries }), refused("invalid", /otp: tries is a whole number, not /));
  }
  assert.throws(() => new otp.Codes({ digits: NaN }), refused("invalid", /otp: digits is a whole number, not NaN/));
  assert.match(new otp.Codes({ digits: 99 }).issue("a"), /^\d{12}$/u);
});

test("nothing is granted unless a test grants it", () => {
  assert.throws(() => kv.node(), refused("refused", /testing\.kv/));
  assert.throws(() => messages.open(), refused("refused", /testing\.messages/));
  assert.throws(() => config.text("crm.url"), { reason: "missing" });
  assert.throws(() => config.text("crm.url"), /`codenode config set crm\.url VALUE`.*secret:crm\.url/);
});

test("what is not granted names what is, and other refusals stand as they are", () => {
  const why = (reason: Reason, grant?: string) => [refusal(reason, grant).message, refusal(reason, grant).isNotGranted];
  const denied = { tag: "access-denied" };
  assert.deepEqual(why(denied, "kv:tenant"), ['it is not granted to this node: grants = ["kv:tenant"] in node.toml, or --grant kv:tenant', true]);
  assert.deepEqual(why(denied), ["it is not granted to this node", true]);
  assert.deepEqual(why({ tag: "other", val: "the store does not answer" }, "kv:tenant"), ["the store does not answer", false]);
  for (const thrown of [denied, { payload: denied }]) {
    assert.throws(() => told(() => fail(thrown), "kv:node"), /--grant kv:node/);
  }
  assert.throws(() => told(() => fail(new TypeError("no"))), { name: "TypeError", message: "no" });
});

test("what the host cannot say is told in the SDK's own errors", (t) => {
  const before = host();
  t.after(() => runOn(before));
  const out = () => fail(new Refusal("the store does not answer"));
  runOn({ ...before, config: out, allConfig: out, open: () => ({ ...({} as OpenBucket), getMany: (keys) => keys.map(() => Uint8Array.of(0xff)) }) });
  const failed = (ask: () => unknown, what: string) =>
    assert.throws(ask, { name: "ConfigError", reason: "failed", message: `${what}: the store does not answer` });
  failed(() => config.get("a"), "config a");
  failed(() => config.text("a"), "config a");
  failed(() => config.all(), "config");
  assert.throws(() => config.get(undefined as never), /config: a key is a string, not undefined/);
  assert.throws(() => messages.text("late"), refused("unreadable", /kv:messages late: it cannot be read as text: byte 0 is no UTF-8/));
});

function fail(error: unknown): never {
  throw error;
}

test("messages are looked up by language, and values stand where their names are", (t) => {
  t.after(testing.messages({ late: "late {order}", "late/hi": "देर {order}" }).end);
  for (const [language, text] of [["hi-IN", "देर {order}"], ["HI", "देर {order}"], ["de", "late {order}"], [undefined, "late {order}"]] as const) {
    assert.equal(messages.text("late", language), text);
  }
  assert.throws(() => messages.text("none", "hi"), /there is no message none in hi, nor one without a language/);
  assert.deepEqual(messages.endings("zh-Hant-TW"), ["/zh-Hant-TW", "/zh-Hant", "/zh", ""]);
  assert.deepEqual(messages.endings("en-x-shop"), ["/en-x-shop", "/en", ""]);
  for (const none of ["", "hi/in", "é", "a".repeat(36), null]) assert.deepEqual(messages.endings(none), [""]);
  assert.equal(messages.fill("{a}{b}{toString}", { a: 1, b: "{a}" }), "1{a}{toString}");
});

test("a value is read as what it is", (t) => {
  t.after(testing.config({ text: 'a "b"', list: "[1,2]" }).end);
  t.after(testing.secrets({ signing_key: "s3cret" }).end);
  assert.deepEqual([config.text("text"), config.read("list"), config.read("none")], ['a "b"', [1, 2], undefined]);
  assert.deepEqual([config.text("signing_key"), config.all()], ["s3cret", { list: "[1,2]", text: 'a "b"' }]);
  assert.throws(() => config.read("text"), { reason: "unreadable" });
  assert.throws(() => config.read("text"), /config text: its value cannot be read as JSON/);
});
