// A code node in JavaScript: the whole of SpiderMonkey must get through the gates.
export function handle(event) {
  const { node, step } = JSON.parse(event);
  return JSON.stringify({ status: true, response: [`javascript answers ${node ?? step}`] });
}
