// Does what the entity `way` says; see tests/it/black_box/conformance.

import { config, kv, messages } from "codenode";

let runs = 0;

export async function handle(event) {
  const [way, name] = [first(event, "way"), first(event, "name")];
  switch (way) {
    case "greet":
      return says(name ? `नमस्ते ${name} 😊` : "नमस्ते");
    case "element": {
      const items = [{ actionable_text: "Yes", type: "TEXT_ONLY", payload: { message: "Yes" } }];
      return { response: [{ text: "Sure?", type: "BUTTON", data: { items } }] };
    }
    case "details":
      return { ...says("kept"), conversation_details: { step: "2" }, user_details: { city: name } };
    case "decline":
      return { ...says("Sorry."), status: false };
    case "amount": {
      const { value, unit } = first(event, "amount");
      return says(`${value} ${unit}`);
    }
    case "branch":
      return { ...says("gold"), tier: { name: "gold", points: [1, 2.5] } };
    case "clock":
      return says(`${Math.floor(Date.now() / 1000)}`);
    case "random":
      return says(Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(""));
    case "wait":
      await new Promise((done) => setTimeout(done, 50));
      return says("rested");
    case "count":
      runs += 1;
      return says(`${runs}`);
    case "error":
      throw new Error("the list of prices is out of date");
    case "trap":
      return new Promise(() => {});
    case "not_json":
      return { statusCode: 200, body: '{"response": ["half a rep' };
    case "wrong_shape":
      return { response: [7] };
    case "empty":
      return { response: [] };
    case "long":
      return says("x".repeat(300 << 10));
    case "sleep":
      await new Promise((done) => setTimeout(done, 60_000));
      return says("rested");
    case "loop":
      for (;;);
    case "eat": {
      const eaten = [];
      for (;;) eaten.push(new Uint8Array(1 << 20).fill(1));
    }
    case "recurse":
      return says(`${descend(0)}`);
    case "calls":
      for (let call = 0; call < 20_000; call++) console.error(call);
      return says("called");
    case "log":
      console.warn(`${name} was here`);
      return says("logged");
    case "config":
      return says(config.text("shop"));
    case "kv":
      return says(`${kv.node().increment("visits", 1)}`);
    case "message":
      return says(messages.text("hello", event.user.language_code));
    case "fetch": {
      const response = await fetch(event.env_variables.service);
      if (!response.ok) throw new Error(`the service answered ${response.status}`);
      return says(await response.text());
    }
    case "remember":
      return says(event.user_details.city);
    default:
      throw new Error(`no way ${way}`);
  }
}

function first(event, entity) {
  return event.entities[entity]?.[0].entity_value;
}

function says(text) {
  return { status: true, response: [text] };
}

function descend(depth) {
  return 1 + descend(depth + 1);
}
