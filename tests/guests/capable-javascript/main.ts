// Uses whatever a node can be granted, as the event says: what the compiled SDK for JavaScript must be seen to do.

import { BotError, config, handler, kv, log, messages, otp, Reply, type Event } from "codenode";
import { share } from "./shop.js";

const WAYS: Record<string, (event: Event) => Reply> = {
  /** An entry that is set, listed, counted, changed at once, and kept for a while. */
  keep() {
    const bucket = kv.node();
    bucket.setJson("order", { id: 71 });
    bucket.keepFor(24 * 3600).increment("visits");
    bucket.update("last", (before) => `${before === undefined ? "" : new TextDecoder().decode(before)}x`);
    const found = bucket.getMany(["order", "none"]).map((value) => value?.length);
    const visits = bucket.increment("visits");
    return new Reply(JSON.stringify([bucket.json("order"), visits, [...bucket.keys()], found, bucket.text("last")]));
  },
  refuse() {
    try {
      kv.tenant();
    } catch (error) {
      return new Reply(error instanceof kv.KvError ? `${error.reason}: ${error.message}` : String(error));
    }
    return new Reply("it was granted");
  },
  say: (event) => new Reply(messages.fill(messages.text("order.late", event.user.languageCode), { order: 71 })),
  know: () => new Reply(`${config.text("shop.name")} ${config.read("orders.shown")} ${Object.keys(config.all()).sort()}`),
  write(event) {
    log.debug(`visits of ${event.user.userName}`);
    console.warn("from", { a: "console" });
    return new Reply("written");
  },
  /** What UTF-8 has no bytes for, wherever the host takes a text. */
  halve() {
    log.info("\ud83d", config.get("\ud83d") ?? "is not set");
    try {
      kv.node().increment("\ud83d");
    } catch (error) {
      log.write("info", "\ud83d", error);
    }
    return new Reply("halved \ud83d", { extra: { half: "\ud83d" } });
  },
  code: () => new Reply(String(/^\d{6}$/u.test(new otp.Codes().issue("a")))),
  roll: () => new Reply(String(Math.random())),
  break_off: () => share(1, undefined),
};

export const handle = handler((event) => {
  const wanted = event.entities.text("what") ?? "";
  const way = WAYS[wanted];
  if (way === undefined) throw new BotError(`there is no way ${wanted}`);
  return way(event);
});

declare const console: { warn(...values: unknown[]): void };
declare class TextDecoder {
  decode(bytes: Uint8Array): string;
}
