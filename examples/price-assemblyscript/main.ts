// The price of a product: the event comes on standard input, the reply goes to standard output.

import { JSON } from "json-as";

@json
class Reply {
  status: bool = true;
  response: string[] = [];
}

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

/** What the user asked for, where that was detected, and is a text. */
function product(event: JSON.Obj): string {
  const entities = event.get("entities");
  if (entities == null) return "";
  const named = entities.as<JSON.Obj>().get("product_name");
  if (named == null) return "";
  const detected = named.as<JSON.Arr>();
  if (detected.length == 0) return "";
  const value = detected.at(0).as<JSON.Obj>().get("entity_value");
  return value != null && value.type == JSON.Types.String ? value.get<string>() : "";
}

function priceOf(name: string): Reply {
  if (name == "speaker") return { status: true, response: ["The price of the speaker is ₹1500."] };
  if (name == "powerbank") return { status: true, response: ["The price of the powerbank is ₹1000."] };
  return { status: false, response: ["Sorry, we don't sell that."] };
}

process.stdout.write(JSON.stringify(priceOf(product(JSON.parse<JSON.Obj>(read())))));
