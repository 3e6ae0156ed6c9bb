// A shop window: a carousel with a card for each product, and buttons for the one that is asked for.

import { element, handler, Reply } from "codenode";

const PRODUCTS = new Map([["speaker", 1500], ["powerbank", 1000]]);

export const handle = handler((event) => {
  const product = event.entities.text("product");
  if (product === undefined) return new Reply(carousel());
  const price = PRODUCTS.get(product);
  if (price === undefined) return new Reply(["We don't have that.", carousel()], { status: false });
  return new Reply([`The ${product} costs ₹${price}.`, buttons(product)], { conversationDetails: { product } });
});

function carousel(): element.Element {
  const cards = Array.from(PRODUCTS, ([product, price]): element.Card => ({
    title: product,
    subTitle: `₹${price}`,
    image: `https://example.com/${product}.png`,
    actions: [element.say(`What does the ${product} cost?`)],
  }));
  return element.carousel("This is what we have", cards);
}

function buttons(product: string): element.Element {
  return element.button("What would you like to do?", [
    element.link("See it", `https://example.com/${product}`),
    element.say("What else do you have?"),
  ]);
}
