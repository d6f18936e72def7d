"""Works off what was accepted: each event is done at least once, failures are tried again."""


class Refused(Exception):
    """This order can never be done."""


def handler(event, context):
    """Do one order; raising means: try again later, then keep it as failed."""
    order = event["order"]
    if event.get("amount", 0) < 0:
        raise Refused(f"order {order} has a negative amount")
    print(f"order {order} done, try of request {context.aws_request_id}")
    return {"done": order}
