// One event through an author's handler: `handler(event, context)` as AWS Lambda calls it, or `handle(event)`.

import { isHandler, kind, replyText, shortened } from "codenode";
import { Failed } from "./failures.js";
import { NAMES, file } from "./source.js";

/** An object of these alone, with a body, is an answer over HTTP, as AWS Lambda's are. Any other object is the reply. */
const ANSWER_KEYS = new Set(["statusCode", "body", "headers", "multiValueHeaders", "cookies", "isBase64Encoded"]);
const EXPECTED = "return { statusCode: 200, body: JSON.stringify(reply) } or the reply itself, an object";
const SHAPE = "write `export function handle(event)` or `exports.handler = async (event, context) => …`";

/** The name of the handler, and what it is. */
export function find(exported) {
  if (typeof exported === "function") return ["default", exported];
  for (const name of NAMES) {
    const handler = exported[name];
    if (handler === undefined) continue;
    if (typeof handler !== "function") throw new Failed(`${file}: ${name} is no function but ${kind(handler)}: ${SHAPE}`);
    return [name, handler];
  }
  throw new Failed(`${file}: there is no handler: ${SHAPE}`);
}

/** What the handler returns or settles to, or calls back with: its third parameter, if it has one. */
export function call(name, handler, event, told) {
  const started = performance.now();
  const context = {
    functionName: told.function_name,
    functionVersion: "$LATEST",
    awsRequestId: told.request_id,
    logGroupName: "codenode",
    logStreamName: told.request_id,
    getRemainingTimeInMillis: () => Math.max(0, told.wall_time_millis - Math.trunc(performance.now() - started)),
  };
  // What the SDK made of a function reads the event itself, whatever it is called.
  const first = (name === "handler" || name === "main") && !isHandler(handler) ? proxyEvent(event, context) : JSON.parse(event);
  if (handler.length < 3) return handler(first, context);
  return new Promise((resolve, reject) => {
    const callback = (error, answer) => (error ? reject(error) : resolve(answer));
    Promise.resolve(handler(first, context, callback)).then((answer) => answer === undefined || resolve(answer), reject);
  });
}

/** `main.js:7: handle`, where the source says it in one of the usual ways. */
export function named(name, source) {
  const said = new RegExp(name === "default" ? "\\bexport\\s+default\\b|\\bmodule\\.exports\\b" : `\\bfunction\\s*\\*?\\s*${name}\\b|\\b${name}\\s*(?::[^=;\\n]*)?=[^=]`, "u");
  const at = source.search(said);
  return at < 0 ? name : `${file}:${source.slice(0, at).split("\n").length}: ${name}`;
}

/** The reply's JSON of what a handler returned. A text is the host's to judge. `name` tells what to call the handler, where something is wrong. */
export function text(name, returned) {
  if (returned === undefined) throw new Failed(`${name()} returned undefined, as a function does that ends without \`return\`: ${EXPECTED}`);
  if (returned === null || typeof returned !== "object" || Array.isArray(returned)) {
    throw new Failed(`${name()} returned ${kind(returned)}: ${EXPECTED}`);
  }
  const isAnswer = "statusCode" in returned || ("body" in returned && Object.keys(returned).every((key) => ANSWER_KEYS.has(key)));
  if (!isAnswer) return replyText(returned);
  const body = bodyOf(name, returned);
  if (returned.statusCode !== undefined && String(returned.statusCode) !== "200") {
    const said = typeof body === "string" ? body : JSON.stringify(body);
    throw new Failed(shortened(`the handler answered with the statusCode ${returned.statusCode}: ${said}`));
  }
  if (body === undefined || body === null) throw new Failed(`${name()} returned an answer without a body: ${EXPECTED}`);
  if (typeof body === "string") return body;
  if (typeof body !== "object" || Array.isArray(body)) {
    throw new Failed(`${name()} returned an answer whose body is ${kind(body)}: ${EXPECTED}`);
  }
  return replyText(body);
}

function bodyOf(name, answer) {
  if (!answer.isBase64Encoded || typeof answer.body !== "string") return answer.body;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(answer.body), (char) => char.charCodeAt(0)));
  } catch (error) {
    throw new Failed(`${name()} returned an answer whose body is no base64 of UTF-8: ${error.message}`);
  }
}

/** The event as AWS Lambda is given one by its gateway. What codenode does not know is empty. */
function proxyEvent(event, context) {
  return {
    resource: "/",
    path: "/",
    httpMethod: "POST",
    headers: { "Content-Type": "application/json" },
    multiValueHeaders: { "Content-Type": ["application/json"] },
    queryStringParameters: null,
    multiValueQueryStringParameters: null,
    pathParameters: null,
    stageVariables: null,
    requestContext: { requestId: context.awsRequestId, httpMethod: "POST", path: "/", requestTimeEpoch: Date.now() },
    body: event,
    isBase64Encoded: false,
  };
}
