// Sends a one-time code by SMS, and verifies it: once, within five minutes, and in three tries. A number gets five codes an hour at most.

import { config, kv } from "codenode";

const MINUTES = 5;
const TRIES = 3;
const CODES_AN_HOUR = 5;

export async function handle(event) {
  const phone = (textOf(event, "phone") ?? "").replace(/\D/g, "");
  if (phone.length < 8 || phone.length > 15) return say("What is your phone number, with the code of the country?", false);
  const code = textOf(event, "code");
  return code === undefined ? send(phone) : verify(phone, code);
}

async function send(phone) {
  // Counted at once and for good, also if this run breaks: an SMS costs money.
  if (kv.node().keepFor(3600).increment(`sent/${phone}`) > CODES_AN_HOUR) {
    return say("I have sent too many codes to that number. Please ask again in an hour.", false);
  }
  const [code, salt] = [randomCode(), crypto.randomUUID()];
  kv.node().keepFor(60 * MINUTES).setJson(`code/${phone}`, { salt, digest: await digest(salt, code) });
  const answer = await fetch(`${config.text("sms_url")}/send`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ to: `+${phone}`, text: `Your code is ${code}. It is good for ${MINUTES} minutes.` }),
  });
  // Where this throws, the run breaks, and nothing that it has set is kept.
  if (!answer.ok) throw new Error(`the SMS could not be sent: the service answered with ${answer.status}`);
  return say(`I sent a code to +${phone}. What is it?`);
}

async function verify(phone, code) {
  const kept = kv.node().json(`code/${phone}`);
  if (kept === undefined) return say("There is no code for that number, or not any more. Please ask for a new one.", false);
  if (kv.node().keepFor(60 * MINUTES).increment(`tries/${kept.salt}`) > TRIES) {
    return say("Too many tries. Please ask for a new code.", false);
  }
  if (!isSame(kept.digest, await digest(kept.salt, code.trim()))) return say("That is not the code.", false);
  kv.node().delete(`code/${phone}`);
  return { ...say("Thank you, your number is verified."), user_details: { verified_phone: `+${phone}` } };
}

/** Six digits, each as likely as any other. */
function randomCode() {
  const [drawn] = crypto.getRandomValues(new Uint32Array(1));
  return drawn < 4_294_000_000 ? String(drawn % 1_000_000).padStart(6, "0") : randomCode();
}

async function digest(salt, code) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${salt}/${code}`)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** In a time that does not tell how much of it is right. */
function isSame(one, other) {
  let difference = one.length ^ other.length;
  for (let at = 0; at < one.length; at += 1) difference |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return difference === 0;
}

function textOf(event, name) {
  const value = event.entities[name]?.[0]?.entity_value;
  return value === undefined ? undefined : String(value);
}

function say(text, status = true) {
  return { status, response: [text] };
}
