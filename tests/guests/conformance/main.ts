// Does what the entity `way` says; see tests/it/black_box/conformance.

import { clockid, poll_oneoff } from "@assemblyscript/wasi-shim/assembly/bindings/wasi_snapshot_preview1";
import { JSON } from "json-as";

let runs = 0;

function read(): string {
  const text = new Array<u8>();
  const chunk = new ArrayBuffer(4096);
  for (;;) {
    const length = process.stdin.read(chunk);
    if (length <= 0) break;
    const bytes = Uint8Array.wrap(chunk, 0, length as i32);
    for (let at = 0; at < bytes.length; at++) text.push(bytes[at]);
  }
  return String.UTF8.decodeUnsafe(text.dataStart, text.length);
}

/** The first value of an entity. */
function first(event: JSON.Obj, entity: string): JSON.Value | null {
  const entities = event.get("entities");
  if (entities == null) return null;
  const detected = entities.as<JSON.Obj>().get(entity);
  if (detected == null || detected.as<JSON.Arr>().length == 0) return null;
  return detected.as<JSON.Arr>().at(0).as<JSON.Obj>().get("entity_value");
}

function text(value: JSON.Value | null): string {
  return value != null && value.type == JSON.Types.String ? value.as<string>() : "";
}

function says(said: string): void {
  process.stdout.write('{"status": true, "response": [' + JSON.stringify(said) + "]}");
}

/** Waits as `poll_oneoff` of WASI does: a subscription to a clock is 48 bytes. */
function wait(milliseconds: u64): void {
  const subscription = changetype<usize>(new ArrayBuffer(48));
  store<u32>(subscription, clockid.MONOTONIC, 16);
  store<u64>(subscription, milliseconds * 1000000, 24);
  poll_oneoff(subscription, changetype<usize>(new ArrayBuffer(32)), 1, changetype<usize>(new ArrayBuffer(8)));
}

function drawn(): string {
  const bytes = new Uint8Array(16);
  crypto.getRandomValues(bytes);
  let digits = "";
  for (let at = 0; at < bytes.length; at++) digits += bytes[at].toString(16).padStart(2, "0");
  return digits;
}

function eat(): void {
  const eaten = new Array<Uint8Array>();
  for (;;) eaten.push(new Uint8Array(1 << 20).fill(1));
}

function descend(depth: i32): i32 {
  return (descend(depth + 1) ^ depth) + depth;
}

function handle(event: JSON.Obj): void {
  const way = text(first(event, "way"));
  const name = text(first(event, "name"));
  if (way == "greet") says(name.length > 0 ? "नमस्ते " + name + " 😊" : "नमस्ते");
  else if (way == "element")
    process.stdout.write(
      '{"response": [{"text": "Sure?", "type": "BUTTON", "data": {"items": [{"actionable_text": "Yes", "type": "TEXT_ONLY", "payload": {"message": "Yes"}}]}}]}',
    );
  else if (way == "details")
    process.stdout.write(
      '{"response": ["kept"], "conversation_details": {"step": "2"}, "user_details": {"city": ' + JSON.stringify(name) + "}}",
    );
  else if (way == "decline") process.stdout.write('{"status": false, "response": ["Sorry."]}');
  else if (way == "amount") {
    const amount = first(event, "amount")!.as<JSON.Obj>();
    says(text(amount.get("value")) + " " + text(amount.get("unit")));
  } else if (way == "branch") process.stdout.write('{"response": ["gold"], "tier": {"name": "gold", "points": [1, 2.5]}}');
  else if (way == "clock") says((Date.now() / 1000).toString());
  else if (way == "random") says(drawn());
  else if (way == "wait") {
    wait(50);
    says("rested");
  } else if (way == "count") {
    runs += 1;
    says(runs.toString());
  } else if (way == "trap") unreachable();
  else if (way == "exit") process.exit(3);
  else if (way == "not_json") process.stdout.write('{"response": ["half a rep');
  else if (way == "wrong_shape") process.stdout.write('{"response": [7]}');
  else if (way == "empty") process.stdout.write('{"response": []}');
  else if (way == "long") says("x".repeat(300 << 10));
  else if (way == "sleep") wait(60000);
  else if (way == "loop") {
    for (;;) runs += 1;
  } else if (way == "eat") eat();
  else if (way == "recurse") says(descend(0).toString());
  else if (way == "calls") {
    for (let call = 0; call < 20000; call++) process.stderr.write(call.toString() + "\n");
    says("called");
  } else if (way == "log") {
    process.stderr.write(name + " was here\n");
    says("logged");
  } else if (way == "remember") says(text(event.get("user_details")!.as<JSON.Obj>().get("city")));
  else {
    process.stderr.write("no such way\n");
    process.exit(1);
  }
}

handle(JSON.parse<JSON.Obj>(read()));
