import json
import unittest
from datetime import date, time
from pathlib import Path

from codenode import Detection, Entity, Error, Event, Fields, Platform, Range, testing


def entity(value: object) -> Event:
    return testing.event("X", entities={"it": value})


class Events(unittest.TestCase):
    def test_the_form_of_2018_is_an_event(self) -> None:
        event = Event.parse(
            """{"node":"ORDER_STATUS","event":"API_INTEGRATION","user":{"user_name":"u1","full_name":"","device_platform":5},
                "entities":{"product_id":[{"detection":"message","original_text":"71","entity_value":"71"}]}}"""
        )
        self.assertEqual((event.node, event.event, event.user.user_name), ("ORDER_STATUS", "API_INTEGRATION", "u1"))
        self.assertEqual((event.user.device_platform, event.user.user_id), (Platform.WEB, None))
        self.assertEqual((event.entities.text("product_id"), event.conversation_no), ("71", None))
        self.assertEqual((event.conversation_details, event.env_variables, event.extra), ({}, {}, {}))

    def test_the_form_of_2023_says_step_and_more(self) -> None:
        event = Event.parse(
            """{"step":"LEAD","event":"NEW","user_data":{"user_id":9,"full_name":"आशा","device_platform":"99","language_code":"hi","vip":true},
                "conversation_no":"3","user_details":{"phone_number":8826755986,"name":{"value":"A"}},"entities":null,"something_new":{"kept":true}}"""
        )
        self.assertEqual((event.node, event.event, event.conversation_no), ("LEAD", "NEW", 3))
        self.assertEqual((event.user.user_id, event.user.full_name, event.user.device_platform), ("9", "आशा", 99))
        self.assertEqual((event.user.extra, event.extra), ({"vip": True}, {"something_new": {"kept": True}}))
        self.assertEqual(event.user_details.integer("phone_number"), 8_826_755_986)
        self.assertEqual((event.user_details.text("name"), event.user_details.text("phone_number")), ("A", None))

    def test_of_two_names_the_one_with_a_value_counts(self) -> None:
        for text, node, user in [
            ('{"node":null,"step":"A","user":null,"user_data":{"user_name":"a"}}', "A", "a"),
            ('{"step":"A","user_data":{"user_name":"a"},"node":null,"user":null}', "A", "a"),
            ('{"node":"B","step":"A","user":{"full_name":"b"},"user_data":{"user_name":"a"}}', "B", ""),
            ('{"step":"A","user_data":{"user_name":"a"},"node":"B","user":{"full_name":"b"}}', "B", ""),
            ('{"node":"B","step":null,"user":{"user_name":"b"},"user_data":null}', "B", "b"),
        ]:
            event = Event.parse(text)
            self.assertEqual((event.node, event.user.user_name), (node, user), text)

    def test_nothing_is_required(self) -> None:
        self.assertEqual(Event.parse("{}"), Event())

    def test_what_cannot_be_read_says_why(self) -> None:
        for text, why in [
            ("{", "the event is not JSON: Expecting property name"),
            ("[]", "the event cannot be read: the event is an object, not list"),
            ('{"user":7}', "the event cannot be read: user is an object, not int"),
            ('{"entities":{"a":["x"]}}', "the event cannot be read: an entity's value is an object, not str"),
        ]:
            with self.subTest(text), self.assertRaisesRegex(Error, why):
                Event.parse(text)


class Values(unittest.TestCase):
    def test_both_shapes_of_a_value_read_alike(self) -> None:
        for value in ("71", {"value": "71", "unit": "quantity"}, {"value": " 71 "}):
            entities = entity(value).entities
            self.assertEqual((entities.integer("it"), entities.number("it")), (71, 71.0), value)
        wrapped = entity({"value": "71", "unit": "quantity"}).entities.first("it")
        assert wrapped is not None
        self.assertEqual((wrapped.text(), wrapped.unit(), wrapped.detection), ("71", "quantity", Detection.MESSAGE))

    def test_values_are_read_as_in_every_other_language(self) -> None:
        table = json.loads((Path(__file__).parents[3] / "tests/fixtures/values.json").read_text())
        for value, expected in table["integer"]:
            self.assertEqual(Entity(value).integer(), expected, value)
        for value, expected in table["date"]:
            self.assertEqual(Entity(value).date(), expected and date(*expected), value)
        for value, expected in table["time"]:
            self.assertEqual(Entity(value).time(), expected and time(*expected), value)

    def test_numbers_are_finite_and_whole_ones_whole(self) -> None:
        fields = Fields(a=2.0, b=2.5, c=1e30, d="inf", e=True, f=["2"], g="x", h=10**400, i="1_000", j="9" * 5_000)
        self.assertEqual([fields.integer(name) for name in "abcdefghij"], [2] + [None] * 9)
        self.assertEqual([fields.number(name) for name in "abdefghij"], [2.0, 2.5] + [None] * 7)

    def test_dates_are_those_that_the_calendar_has(self) -> None:
        for value, read in [
            ({"value": {"dd": 23, "mm": 12, "yy": 2019, "type": "date"}, "normal": True}, date(2019, 12, 23)),
            ({"dd": "29", "mm": "2", "yy": "2024"}, date(2024, 2, 29)),
            ({"dd": 29, "mm": 2, "yy": 2023}, None),
            ({"dd": 1, "mm": -1, "yy": 2020}, None),
            ("23/12/2019", None),
        ]:
            self.assertEqual(entity(value).entities.date("it"), read, value)

    def test_times_are_on_the_24_hour_clock(self) -> None:
        for hour, half, read in [(3, "pm", 15), (12, "am", 0), (12, "pm", 12), (15, "hrs", 15), (9, None, 9), (15, "pm", None), (2, "df", None), (24, "", None)]:
            found = entity({"hh": hour, "mm": 5, "nn": half}).entities.time("it")
            self.assertEqual(found, None if read is None else time(read, 5), (hour, half))

    def test_a_range_may_be_open(self) -> None:
        value = {"min_value": "200000", "max_value": None, "unit": "rupees"}
        self.assertEqual(entity(value).entities.range("it"), Range(200_000.0, None, "rupees"))
        self.assertIsNone(entity({"value": "2"}).entities.range("it"))

    def test_odd_lists_are_read_as_far_as_they_go(self) -> None:
        given = {"none": [], "null": None, "lone": {"entity_value": "x"}, "many": [{"entity_value": "a"}, {"entity_value": "b"}]}
        entities = Event.parse(json.dumps({"entities": given})).entities
        self.assertEqual((entities.first("none"), entities.first("null"), entities.first("absent")), (None, None, None))
        self.assertEqual((entities.text("lone"), [one.text() for one in entities.all("many")]), ("x", ["a", "b"]))
