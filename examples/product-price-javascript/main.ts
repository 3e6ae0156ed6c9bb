// The classic, in TypeScript: the price of a product. A speaker, a powerbank, or anything else.

import { handler, Reply } from "codenode";

export const handle = handler((event) => {
  switch (event.entities.text("product_name")) {
    case "speaker":
      return new Reply("The price of the speaker is ₹1500.");
    case "powerbank":
      return new Reply("The price of the powerbank is ₹1000.");
    default:
      return new Reply("Sorry, we don't sell that.", { status: false });
  }
});
