"""Sends a one-time code by SMS, and verifies it: once, within five minutes, and in three tries. A number gets five codes an hour at most."""

import hashlib
import hmac
import secrets

import requests
from codenode import config, kv

MINUTES = 5
TRIES = 3
CODES_AN_HOUR = 5


def handle(event):
    phone = "".join(filter(str.isdigit, text_of(event, "phone") or ""))
    if not 8 <= len(phone) <= 15:
        return say("What is your phone number, with the code of the country?", status=False)
    code = text_of(event, "code")
    return send(phone) if code is None else verify(phone, code)


def send(phone):
    # Counted at once and for good, also if this run breaks: an SMS costs money.
    if kv.node().keep_for(hours=1).increment(f"sent/{phone}") > CODES_AN_HOUR:
        return say("I have sent too many codes to that number. Please ask again in an hour.", status=False)
    code, salt = f"{secrets.randbelow(1_000_000):06}", secrets.token_hex(16)
    kv.node().keep_for(minutes=MINUTES).set_json(f"code/{phone}", {"salt": salt, "digest": digest(salt, code)})
    sms = {"to": f"+{phone}", "text": f"Your code is {code}. It is good for {MINUTES} minutes."}
    # Where this raises, the run breaks as the service's failure, and nothing that it has set is kept.
    requests.post(f"{config.text('sms_url')}/send", json=sms, timeout=5).raise_for_status()
    return say(f"I sent a code to +{phone}. What is it?")


def verify(phone, code):
    kept = kv.node().json(f"code/{phone}")
    if kept is None:
        return say("There is no code for that number, or not any more. Please ask for a new one.", status=False)
    if kv.node().keep_for(minutes=MINUTES).increment(f"tries/{kept['salt']}") > TRIES:
        return say("Too many tries. Please ask for a new code.", status=False)
    if not hmac.compare_digest(kept["digest"], digest(kept["salt"], code.strip())):
        return say("That is not the code.", status=False)
    kv.node().delete(f"code/{phone}")
    return say("Thank you, your number is verified.") | {"user_details": {"verified_phone": f"+{phone}"}}


def digest(salt, code):
    return hmac.new(bytes.fromhex(salt), code.encode(), hashlib.sha256).hexdigest()


def text_of(event, name):
    found = event["entities"].get(name)
    return str(found[0]["entity_value"]) if found else None


def say(text, status=True):
    return {"status": status, "response": [text]}
