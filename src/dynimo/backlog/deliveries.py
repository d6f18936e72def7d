"""Brings results to SQS and SNS: durable, retried, and at last put aside where they can be found.

What is delivered is in the journal before anybody is told that the event is over, so a crash only
means that it is sent again.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Mapping
from typing import Any

from dynimo import ports
from dynimo.backlog import events
from dynimo.backlog.aws import Aws, AwsUnavailable
from dynimo.backlog.config import Config
from dynimo.backlog.destinations import UNDELIVERED, Target, target
from dynimo.backlog.dispatcher import Dispatcher
from dynimo.backlog.events import Delivery, Message
from dynimo.backlog.journal import Journal, NotKept
from dynimo.backlog.retrying import backoff_seconds
from dynimo.backlog.schedule import Schedule, Turn
from dynimo.model.names import Place

log = logging.getLogger("dynimo.backlog")


class QueueUrls:
    """The addresses of SQS queues, asked for once."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._held: dict[str, str] = {}

    async def of(self, queue: Target) -> str:
        """The address of a queue. Raises AwsUnavailable."""
        held = self._held.get(queue.arn)
        if held is None:
            region = queue.place.region
            found = await self._aws.call("sqs", region, "get_queue_url", QueueName=queue.name)
            held = self._held[queue.arn] = str(found["QueueUrl"])
        return held

    def forget(self, queue: Target) -> None:
        """Ask again next time."""
        self._held.pop(queue.arn, None)


class Deliveries:
    """Sends what waits in the journal's table of deliveries."""

    def __init__(self, journal: Journal, aws: Aws, clock: ports.Clock, config: Config) -> None:
        self._journal = journal
        self._aws = aws
        self._clock = clock
        self._config = config
        self.urls = QueueUrls(aws)
        self.sent = 0
        self.put_aside = 0
        schedule = Schedule(config.deliveries_max, config.deliveries_max)
        self.dispatcher = Dispatcher(clock, schedule, self._run)

    async def load(self) -> None:
        """Take up what was left."""
        for seq, lane, due_ms in await self._journal.read(events.due_deliveries):
            self.dispatcher.add(seq, lane, due_ms)

    async def _run(self, turn: Turn) -> bool:
        seq = turn.number
        held = await self._journal.read(lambda database: events.delivery(database, seq))
        if held is None:
            return False
        try:
            await self._send(held)
        except AwsUnavailable as error:
            to = target(held.target)
            if to is not None:
                self.urls.forget(to)
            await self._later(seq, held, error)
            return True
        self.sent += 1
        try:
            await self._journal.write(lambda database: events.drop_delivery(database, seq))
        except NotKept:
            self._retry(seq, held)  # at least once
        return False

    async def _send(self, held: Delivery) -> None:
        to = target(held.target)
        if to is None:
            raise AwsUnavailable(f"{held.target} names nothing that can be reached.")
        text = held.body.decode(errors="replace")
        attributes = {
            name: {"DataType": kind, "StringValue": value}
            for name, (kind, value) in held.attributes.items()
        }
        region = to.place.region
        if to.kind == "sqs":
            await self._aws.call(
                "sqs", region, "send_message", QueueUrl=await self.urls.of(to),
                MessageBody=text, MessageAttributes=attributes,
            )  # fmt: skip
        else:
            await self._aws.call(
                "sns", region, "publish", TopicArn=to.arn, Message=text,
                MessageAttributes=attributes,
            )  # fmt: skip

    async def _later(self, seq: int, held: Delivery, error: AwsUnavailable) -> None:
        now_ms = int(self._clock.now() * 1000)
        wait = backoff_seconds(held.tries, self._config)
        due_ms = now_ms + int(wait * 1000 * (1 + self._config.jitter * random.uniform(-1, 1)))  # noqa: S311
        try:
            if due_ms - held.created_ms > self._config.delivery_age_seconds_max * 1000:
                await self._put_aside(seq, held, error)
                return
            if not held.tries:
                log.warning("%s: %s It is tried again.", held.target, error)
            await self._journal.write(
                lambda database: events.postpone_delivery(
                    database, seq, due_ms=due_ms, tries=held.tries + 1
                )
            )
        except NotKept:
            self._retry(seq, held)
            return
        self.dispatcher.add(seq, held.target, due_ms)

    async def _put_aside(self, seq: int, held: Delivery, error: AwsUnavailable) -> None:
        message = aside(held.target, held.body, held.attributes, f"{error}", self._clock.now())
        limit = self._config.queue_messages_max

        def move(database: Any) -> None:
            events.drop_delivery(database, seq)
            events.add_message(database, message, messages_max=limit)

        await self._journal.write(move)
        self.put_aside += 1
        log.error("%s: given up; it is in the built-in queue %r. %s", held.target, UNDELIVERED,
                  error)  # fmt: skip

    def _retry(self, seq: int, held: Delivery) -> None:
        wait_ms = int(self._config.backoff_seconds_max * 1000)
        self.dispatcher.add(seq, held.target, int(self._clock.now() * 1000) + wait_ms)


def aside(
    arn: str, body: bytes, attributes: Mapping[str, tuple[str, str]], reason: str, now: float
) -> Message:
    """What could not be delivered, as a message of the built-in queue for it."""
    to = target(arn)
    place = Place(to.place.account, to.place.region) if to is not None else Place()
    return Message(
        place=place,
        queue=UNDELIVERED,
        id=str(uuid.uuid4()),
        body=body,
        kept_ms=int(now * 1000),
        attributes={**attributes, "Undelivered": ("String", reason[:1024])},
        target=arn,
    )
