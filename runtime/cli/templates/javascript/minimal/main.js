// An event comes in, a reply goes out.

export function handle(event) {
  const name = event.user.full_name;
  const hello = name ? `Hello ${name}` : "Hello";
  return { status: true, response: [`${hello}, what can I do for you?`] };
}
