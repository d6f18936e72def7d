"""Streams its answer: whoever asked sees each word when it is made."""

import time


def handler(event, context):
    """Yield the words of ``event["text"]``, one at a time."""
    for word in event.get("text", "one two three").split():
        yield word + "\n"
        time.sleep(event.get("pause", 0.1))
