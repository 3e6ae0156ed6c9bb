// An event comes in, a reply goes out.

import { handler, Reply } from "codenode";

export const handle = handler((event) => {
  const name = event.user.fullName;
  const hello = name ? `Hello ${name}` : "Hello";
  return new Reply(`${hello}, what can I do for you?`);
});
