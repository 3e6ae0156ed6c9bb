"""Sends a one-time code by SMS, and verifies it: once, within five minutes, and in three tries. A number gets five codes an hour at most."""

import requests
from codenode import Event, Reply, config, handler, kv, otp

CODES_AN_HOUR = 5


@handler
def handle(event: Event) -> Reply:
    phone = "".join(filter(str.isdigit, event.entities.text("phone") or ""))
    if not 8 <= len(phone) <= 15:
        return declined("What is your phone number, with the code of the country?")
    code = event.entities.text("code")
    return send(phone) if code is None else verify(phone, code)


def send(phone: str) -> Reply:
    # Counted at once and for good, also if this run breaks: an SMS costs money.
    if kv.node().keep_for(hours=1).increment(f"sent/{phone}") > CODES_AN_HOUR:
        return declined("I have sent too many codes to that number. Please ask again in an hour.")
    code = otp.Codes().issue(phone)
    sms = {"to": f"+{phone}", "text": f"Your code is {code}. It is good for 5 minutes."}
    # Where this raises, the run breaks as the service's failure, and no code is kept.
    requests.post(f"{config.text('sms_url')}/send", json=sms, timeout=5).raise_for_status()
    return Reply(f"I sent a code to +{phone}. What is it?")


def verify(phone: str, typed: str) -> Reply:
    match otp.Codes().verify(phone, typed).kind:
        case otp.Kind.RIGHT:
            return Reply("Thank you, your number is verified.", user_details={"verified_phone": f"+{phone}"})
        case otp.Kind.WRONG:
            return declined("That is not the code.")
        case otp.Kind.TOO_MANY_TRIES:
            return declined("Too many tries. Please ask for a new code.")
        case otp.Kind.NO_CODE:
            return declined("There is no code for that number, or not any more. Please ask for a new one.")


def declined(text: str) -> Reply:
    return Reply(text, status=False)
