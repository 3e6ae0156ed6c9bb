// The price of a product as a web server of Node.js.
//
// Usage: SECRET=… PORT=… node server.mjs

import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = createSecretKey(process.env.SECRET, "utf8");

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    if (!isSigned(request.headers["x-hub-signature"], body)) {
      return send(response, 401, { error: "the signature is missing or wrong" });
    }
    let event;
    try {
      event = JSON.parse(body.toString());
    } catch {
      return send(response, 400, { error: "the body is not JSON" });
    }
    send(response, 200, answer(event?.entities?.product_name?.[0]?.entity_value));
  });
});

server.listen(Number(process.env.PORT), "127.0.0.1");

function isSigned(header, body) {
  if (!header?.startsWith("sha1=")) return false;
  const claimed = Buffer.from(header.slice(5), "hex");
  const digest = createHmac("sha1", key).update(body).digest();
  return claimed.length === digest.length && timingSafeEqual(claimed, digest);
}

function answer(product) {
  switch (product) {
    case "speaker":
      return { status: true, response: ["The price of the speaker is ₹1500."] };
    case "powerbank":
      return { status: true, response: ["The price of the powerbank is ₹1000."] };
    default:
      return { status: false, response: ["Sorry, we don't sell that."] };
  }
}

function send(response, status, reply) {
  const body = JSON.stringify(reply);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}
