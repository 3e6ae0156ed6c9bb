// Does what the entity `way` says, as a source with types; see tests/it/black_box/conformance.

import { config, element, handler, kv, messages, Reply, type Event } from "codenode";

type Answer = Reply | Promise<Reply>;
interface Amount {
  value: string;
  unit: string;
}
enum Millis { Wait = 50, TooLong = 60_000 }

let runs: number = 0;

const WAYS: Record<string, (event: Event) => Answer> = {
  greet: (event) => new Reply(name(event) === undefined ? "नमस्ते" : `नमस्ते ${name(event)!} 😊`),
  element: () => new Reply(element.button("Sure?", [element.say("Yes")])),
  details: (event) => new Reply("kept", { conversationDetails: { step: "2" }, userDetails: { city: name(event) } }),
  decline: () => new Reply("Sorry.", { status: false }),
  amount(event): Reply {
    const { value, unit } = event.entities.first("amount")?.value as Amount;
    return new Reply(`${value} ${unit}`);
  },
  branch: () => new Reply("gold", { extra: { tier: { name: "gold", points: [1, 2.5] } } }),
  clock: () => new Reply(`${Math.floor(Date.now() / 1000)}`),
  random: () => new Reply(crypto.randomUUID()),
  async wait(): Promise<Reply> {
    await rest(Millis.Wait);
    return new Reply("rested");
  },
  count: () => new Reply(`${(runs += 1)}`),
  error(): never {
    throw new Error("the list of prices is out of date");
  },
  trap: () => new Promise<never>(() => {}),
  not_json: () => ({ statusCode: 200, body: '{"response": ["half a rep' }) as unknown as Reply,
  wrong_shape: () => ({ response: [7] }) as never,
  empty: () => new Reply([]),
  long: () => new Reply("x".repeat(300 << 10)),
  async sleep() {
    await rest(Millis.TooLong);
    return new Reply("rested");
  },
  loop(): never {
    for (;;);
  },
  eat(): never {
    const eaten: Uint8Array[] = [];
    for (;;) eaten.push(new Uint8Array(1 << 20).fill(1));
  },
  recurse: () => new Reply(`${descend(0)}`),
  calls() {
    for (let call = 0; call < 20_000; call++) console.error(call);
    return new Reply("called");
  },
  log(event) {
    console.warn(`${name(event)} was here`);
    return new Reply("logged");
  },
  config: () => new Reply(config.text("shop")),
  kv: () => new Reply(`${kv.node().increment("visits")}`),
  message: (event) => new Reply(messages.text("hello", event.user.languageCode)),
  async fetch(event) {
    const response = await fetch(event.envVariables.text("service") as string);
    if (!response.ok) throw new Error(`the service answered ${response.status}`);
    return new Reply(await response.text());
  },
  remember: (event) => new Reply(`${event.userDetails.text("city")}`),
};

export const handle = handler((event: Event): Answer => {
  const way = event.entities.text("way") ?? "";
  const work = WAYS[way];
  if (!work) throw new Error(`no way ${way}`);
  return work(event);
});

function name(event: Event): string | undefined {
  return event.entities.text("name");
}

function rest(millis: Millis): Promise<void> {
  return new Promise((done) => setTimeout(done, millis));
}

function descend(depth: number): number {
  return 1 + descend(depth + 1);
}
