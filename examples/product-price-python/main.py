"""The classic, in Python: the price of a product. A speaker, a powerbank, or anything else."""

from codenode import Event, Reply, handler


@handler
def handle(event: Event) -> Reply:
    match event.entities.text("product_name"):
        case "speaker":
            return Reply("The price of the speaker is ₹1500.")
        case "powerbank":
            return Reply("The price of the powerbank is ₹1000.")
        case _:
            return Reply("Sorry, we don't sell that.", status=False)
