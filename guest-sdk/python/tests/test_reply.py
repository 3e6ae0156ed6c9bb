import json
import unittest
from typing import Any

from codenode import Error, Reply
from codenode.element import Action, ActionKind, Button, Card, Carousel, Element, Field, FieldKind, Form, Raw, Text, Uri, Width


def shown(element: Element) -> Any:
    return json.loads(Reply(element).to_dict()["response"][0])


class Replies(unittest.TestCase):
    def test_a_reply_is_written_in_the_platforms_form(self) -> None:
        reply = Reply(
            'नमस्ते "आशा"',
            Raw({"type": "SYSTEM", "data": {"event_name": "chat_complete"}}),
            status=False,
            conversation_details={"a": "y"},
            user_details={"visits": 2},
            extra={"next": "PAYMENT"},
        )
        self.assertEqual(
            reply.to_json(),
            r'{"status":false,"response":["नमस्ते \"आशा\"","{\"type\":\"SYSTEM\",\"data\":{\"event_name\":\"chat_complete\"}}"],'
            r'"conversation_details":{"a":"y"},"user_details":{"visits":2},"next":"PAYMENT"}',
        )
        self.assertEqual(Reply().to_json(), '{"status":true,"response":[]}')

    def test_what_cannot_be_said_is_told(self) -> None:
        with self.assertRaisesRegex(TypeError, "not dict; `element.Raw` takes a dict"):
            Reply({"type": "SYSTEM"})  # type: ignore[arg-type]
        with self.assertRaisesRegex(ValueError, "`extra` cannot have status"):
            Reply("a", extra={"status": True})
        with self.assertRaisesRegex(Error, "the reply cannot be JSON"):
            Reply("a", user_details={"when": object()}).to_json()


class Elements(unittest.TestCase):
    def test_quick_replies_and_buttons_have_the_platforms_keys(self) -> None:
        text = Text("Sure?", [Action.say("Yes", sends="cancel order 71", emoji="👍")])
        self.assertEqual(
            shown(text),
            {"text": "Sure?", "type": "TEXT", "data": {"quick_replies": [{
                "actionable_text": "Yes", "location_required": False, "is_default": 0, "uri": "", "type": "TEXT_ONLY",
                "payload": {"message": "Yes", "gogo_message": "cancel order 71"}, "emoji": "👍",
            }]}},
        )  # fmt: skip
        call = Action("Call us", ActionKind.APP_ACTION, Uri.CALL, {"contact_number": "100"}, with_location=True, preselected=True)
        self.assertEqual(
            shown(Button("Help", [call, Action.link("Shop", "https://example.com")])),
            {"text": "Help", "type": "BUTTON", "data": {"items": [
                {"actionable_text": "Call us", "location_required": True, "is_default": 1, "uri": "CALL", "type": "APP_ACTION",
                 "payload": {"contact_number": "100"}},
                {"actionable_text": "Shop", "location_required": False, "is_default": 0, "uri": "LINK", "type": "APP_ACTION",
                 "payload": {"url": "https://example.com"}},
            ]}},
        )  # fmt: skip
        self.assertEqual(shown(Text("Hi"))["data"], {"quick_replies": []})

    def test_cards_have_the_platforms_keys(self) -> None:
        card = Card("Speaker", "₹1500", "Loud", "https://example.com/s.png", [Action.say("Buy")])
        element = shown(Carousel("Our best", [card], aspect_ratio="1.77", width=Width.FAT))
        self.assertEqual((element["text"], element["type"]), ("Our best", "CAROUSEL"))
        self.assertEqual((element["data"]["width"], element["data"]["image_aspect_ratio"]), ("FAT", "1.77"))
        item = element["data"]["items"][0]
        self.assertEqual((item["title"], item["sub_title"], item["description"]), ("Speaker", "₹1500", "Loud"))
        self.assertEqual(item["thumbnail"], {"image": "https://example.com/s.png", "type": "LANDSCAPE"})
        self.assertEqual(item["actionables"][0]["actionable_text"], "Buy")
        self.assertEqual(len(shown(Carousel.image("https://example.com/s.png"))["data"]["items"]), 1)

    def test_a_form_has_a_title_and_ordered_fields(self) -> None:
        fields = [Field("name", FieldKind.TEXT, "Your name", "default"), Field("size", "slider", options=["S", "M"])]
        self.assertEqual(
            shown(Form("Your visit", fields, subtitle="Takes a minute")),
            {"title": "Your visit", "subtitle": "Takes a minute", "type": "FORM", "data": {"fields": [
                {"key": "name", "type": "text", "keyboard_type": "default", "order": 1, "hint": "Your name", "options": []},
                {"key": "size", "type": "slider", "order": 2, "hint": "", "options": ["S", "M"]},
            ]}},
        )  # fmt: skip
