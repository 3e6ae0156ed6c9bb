// The price of a product as a worker.

const JSON_TYPE = { "content-type": "application/json" };

const decoder = new TextDecoder();

// Imported at the first request and kept: a worker may not wait for anything before.
let key;

export default {
  async fetch(request, env) {
    const body = await request.arrayBuffer();
    key ??= await imported(env.SECRET);
    const claimed = signature(request.headers.get("x-hub-signature"));
    if (claimed === undefined || !(await crypto.subtle.verify("HMAC", key, claimed, body))) {
      return reply(401, { error: "the signature is missing or wrong" });
    }
    let event;
    try {
      event = JSON.parse(decoder.decode(body));
    } catch {
      return reply(400, { error: "the body is not JSON" });
    }
    return reply(200, answer(event?.entities?.product_name?.[0]?.entity_value));
  },
};

function imported(secret) {
  const bytes = new TextEncoder().encode(secret);
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-1" }, false, ["verify"]);
}

function signature(header) {
  if (!header?.startsWith("sha1=")) return undefined;
  try {
    return Uint8Array.fromHex(header.slice(5));
  } catch {
    return undefined;
  }
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

function reply(status, body) {
  return new Response(JSON.stringify(body), { status, headers: JSON_TYPE });
}
