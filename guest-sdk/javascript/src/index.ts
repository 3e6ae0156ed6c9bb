/** Write the handler of a chatbot's code node in JavaScript or TypeScript: one function from an {@link Event} to a {@link Reply}.
 *
 * ```ts
 * import { handler, log, Reply } from "codenode";
 *
 * export const handle = handler((event) => {
 *   const product = event.entities.text("product_name");
 *   log.info(`price of ${product}`);
 *   return product === "speaker" ? new Reply("It costs 1500.") : new Reply("We don't sell that.", { status: false });
 * });
 * ```
 *
 * What the node is granted is in `kv`, `messages` and `config`; one-time codes are in `otp`, what can be shown beside text is in `element`, and what unit tests
 * need is in `codenode/testing`. An error that is thrown becomes a bot break with the cause `exception`, which names the author's line.
 */

export * as config from "./config.js";
export * as element from "./element.js";
export * as kv from "./kv.js";
export * as log from "./log.js";
export * as messages from "./messages.js";
export * as otp from "./otp.js";
export { BotError } from "./error.js";
export { API_INTEGRATION, Entities, Entity, Event, PLATFORM, User, type Detection } from "./event.js";
export { handler, type Handler } from "./handler.js";
export { Reply, type Message, type ReplyOptions } from "./reply.js";
export { Fields, type Json, type PlainDate, type PlainTime, type Range } from "./values.js";
