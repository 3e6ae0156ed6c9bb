// A shop window: a carousel with a card for each product, and buttons for the one that is asked for.

const PRODUCTS = { speaker: 1500, powerbank: 1000 };

export function handle(event) {
  const product = event.entities.product?.[0]?.entity_value;
  if (Object.hasOwn(PRODUCTS, product ?? "")) {
    const messages = [`The ${product} costs ₹${PRODUCTS[product]}.`, buttons(product)];
    return { status: true, response: messages, conversation_details: { product } };
  }
  return { status: product === undefined, response: product === undefined ? [carousel()] : ["We don't have that.", carousel()] };
}

function carousel() {
  const items = Object.entries(PRODUCTS).map(([product, price]) => card(product, price));
  return { type: "CAROUSEL", text: "This is what we have", data: { image_aspect_ratio: 1, width: "MEDIUM", items } };
}

function card(product, price) {
  return {
    title: product,
    sub_title: `₹${price}`,
    description: "",
    thumbnail: { image: `https://example.com/${product}.png`, type: "LANDSCAPE" },
    actionables: [say(`What does the ${product} cost?`)],
  };
}

function buttons(product) {
  const items = [link("See it", `https://example.com/${product}`), say("What else do you have?")];
  return { type: "BUTTON", text: "What would you like to do?", data: { items } };
}

function say(caption) {
  return action(caption, "TEXT_ONLY", "", { message: caption, gogo_message: caption });
}

function link(caption, url) {
  return action(caption, "APP_ACTION", "LINK", { url });
}

function action(caption, type, uri, payload) {
  return { actionable_text: caption, type, uri, payload, location_required: false, is_default: 0 };
}
