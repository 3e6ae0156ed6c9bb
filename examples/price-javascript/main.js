// The price of a product: a speaker, a powerbank, or anything else.

const PRICES = new Map([["speaker", 1500], ["powerbank", 1000]]);

export function handle({ entities }) {
  const value = entities.product_name?.[0]?.entity_value;
  // The platform writes a text bare, or wrapped: `{"value": "speaker"}`.
  const product = value?.value ?? value;
  if (!PRICES.has(product)) return { status: false, response: ["Sorry, we don't sell that."] };
  return { status: true, response: [`The price of the ${product} is ₹${PRICES.get(product)}.`] };
}
