import unittest
from pathlib import Path

from codenode import testing
from main import handle


def asked_for(product: str) -> testing.Run:
    return testing.run(handle, testing.event("PRODUCT_PRICE", entities={"product_name": product}))


class Price(unittest.TestCase):
    def test_known_products_have_a_price(self) -> None:
        self.assertEqual(asked_for("speaker").texts, ["The price of the speaker is ₹1500."])
        self.assertEqual(asked_for("powerbank").texts, ["The price of the powerbank is ₹1000."])

    def test_anything_else_is_not_sold(self) -> None:
        run = asked_for("elephant")
        self.assertEqual(run.texts, ["Sorry, we don't sell that."])
        self.assertFalse(run.reply.status)

    def test_the_events_file_is_answered(self) -> None:
        run = testing.run(handle, testing.event_file(Path(__file__).with_name("event.json")))
        self.assertEqual(run.texts, ["The price of the speaker is ₹1500."])
