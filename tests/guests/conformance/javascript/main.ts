// Does what the entity `way` says, as a component with QuickJS; see tests/it/black_box/conformance.

import { config, element, handler, kv, messages, Reply, type Event } from "codenode";

let runs = 0;

const WAYS: Record<string, (event: Event) => Reply> = {
  greet: (event) => new Reply(name(event) === undefined ? "नमस्ते" : `नमस्ते ${name(event)} 😊`),
  element: () => new Reply(element.button("Sure?", [element.say("Yes")])),
  details: (event) => new Reply("kept", { conversationDetails: { step: "2" }, userDetails: { city: name(event) } }),
  decline: () => new Reply("Sorry.", { status: false }),
  amount(event) {
    const { value, unit } = event.entities.get("amount")[0]?.value as { value: string; unit: string };
    return new Reply(`${value} ${unit}`);
  },
  branch: () => new Reply("gold", { extra: { tier: { name: "gold", points: [1, 2.5] } } }),
  clock: () => new Reply(`${Math.floor(Date.now() / 1000)}`),
  random: () => new Reply(`${Math.random()} ${Math.random()}`),
  count() {
    runs += 1;
    return new Reply(`${runs}`);
  },
  error() {
    throw new Error("the list of prices is out of date");
  },
  wrong_shape: () => ({ response: [7] }) as never,
  empty: () => ({ response: [] }) as never,
  long: () => new Reply("x".repeat(300 << 10)),
  loop() {
    for (;;);
  },
  eat() {
    const eaten = [];
    for (;;) eaten.push(new Uint8Array(1 << 20).fill(1));
  },
  recurse: () => new Reply(`${descend(0)}`),
  calls() {
    for (let call = 0; call < 20_000; call++) console.warn(call);
    return new Reply("called");
  },
  log(event) {
    console.warn(`${name(event)} was here`);
    return new Reply("logged");
  },
  config: () => new Reply(config.text("shop")),
  kv: () => new Reply(`${kv.node().increment("visits", 1)}`),
  message: (event) => new Reply(messages.text("hello", event.user.languageCode)),
  remember: (event) => new Reply(`${event.userDetails.text("city")}`),
};

export const handle = handler((event) => {
  const way = event.entities.text("way") ?? "";
  const work = WAYS[way];
  if (work === undefined) throw new Error(`no way ${way}`);
  return work(event);
});

function name(event: Event): string | undefined {
  return event.entities.text("name");
}

function descend(depth: number): number {
  return 1 + descend(depth + 1);
}

declare const console: { warn(...values: unknown[]): void };
