// Sends a one-time code by SMS, and verifies it: once, within five minutes, and in three tries. A number gets five codes an hour at most.

import { config, handler, kv, otp, Reply } from "codenode";

const HOUR_SECONDS = 3600;
const CODES_AN_HOUR = 5;

export const handle = handler(async (event) => {
  const phone = (event.entities.text("phone") ?? "").replace(/\D/g, "");
  if (phone.length < 8 || phone.length > 15) return declined("What is your phone number, with the code of the country?");
  const code = event.entities.text("code");
  return code === undefined ? send(phone) : verify(phone, code);
});

async function send(phone) {
  // Counted at once and for good, also if this run breaks: an SMS costs money.
  if (kv.node().keepFor(HOUR_SECONDS).increment(`sent/${phone}`) > CODES_AN_HOUR) {
    return declined("I have sent too many codes to that number. Please ask again in an hour.");
  }
  const code = new otp.Codes().issue(phone);
  const answer = await fetch(`${config.text("sms_url")}/send`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ to: `+${phone}`, text: `Your code is ${code}. It is good for 5 minutes.` }),
  });
  // Where this throws, the run breaks, and no code is kept.
  if (!answer.ok) throw new Error(`the SMS could not be sent: the service answered with ${answer.status}`);
  return new Reply(`I sent a code to +${phone}. What is it?`);
}

function verify(phone, typed) {
  const verdict = new otp.Codes().verify(phone, typed);
  switch (verdict.kind) {
    case "right":
      return new Reply("Thank you, your number is verified.", { userDetails: { verified_phone: `+${phone}` } });
    case "wrong":
      return declined("That is not the code.");
    case "too many tries":
      return declined("Too many tries. Please ask for a new code.");
    case "no code":
      return declined("There is no code for that number, or not any more. Please ask for a new one.");
  }
}

function declined(text) {
  return new Reply(text, { status: false });
}
