// Where an order is: asks a service, and says so when that is down.

import { config, handler, log, Reply } from "codenode";

const PATIENCE_MILLIS = 5000;

interface Order {
  state: string;
}

export const handle = handler(async (event) => {
  const order = event.entities.text("order");
  if (order === undefined) return new Reply("Which order do you mean?", { status: false });
  const url = `${config.text("orders_url")}/orders?id=${encodeURIComponent(order)}`;
  try {
    const answer = await fetchSoon(url);
    if (answer.status === 404) return new Reply(`There is no order ${order}.`, { status: false });
    if (!answer.ok) throw new Error(`the service answered with ${answer.status}`);
    const { state } = (await answer.json()) as Order;
    return new Reply(`Order ${order} is ${state}.`);
  } catch (error) {
    log.warn(`order ${order}: ${error}`);
    return new Reply("I cannot look that up right now. Please try again later.", { status: false });
  }
});

function fetchSoon(url: string): Promise<Response> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("the service does not answer")), PATIENCE_MILLIS));
  return Promise.race([fetch(url), late]);
}
