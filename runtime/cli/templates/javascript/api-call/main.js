// Where an order is: asks a service, and says so when that is down.

import { config, log } from "codenode";

const PATIENCE_MILLIS = 5000;

export async function handle(event) {
  const asked = event.entities.order;
  if (!asked?.length) return say("Which order do you mean?", false);
  const order = asked[0].entity_value;
  const url = `${config.text("orders_url")}/orders?id=${encodeURIComponent(order)}`;
  try {
    const answer = await fetchSoon(url);
    if (answer.status === 404) return say(`There is no order ${order}.`, false);
    if (!answer.ok) throw new Error(`the service answered with ${answer.status}`);
    return say(`Order ${order} is ${(await answer.json()).state}.`);
  } catch (error) {
    log.warn(`order ${order}: ${error.message}`);
    return say("I cannot look that up right now. Please try again later.", false);
  }
}

function fetchSoon(url) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("the service does not answer")), PATIENCE_MILLIS));
  return Promise.race([fetch(url), late]);
}

function say(text, status = true) {
  return { status, response: [text] };
}
