"""Calls to SQS and SNS at the configured endpoint, through boto3, in threads of their own.

boto3 is imported with the first call, for it takes long. Who calls, and why, is told elsewhere.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from dynimo.backlog.config import Config
from dynimo.backlog.threads import Threads
from dynimo.model.errors import DynimoError

NO_ENDPOINT = (
    "No AWS endpoint is configured, so SQS and SNS cannot be reached; set backlog.aws_endpoint"
    " (DYNIMO_BACKLOG_AWS_ENDPOINT) to its address, or to 'aws' for AWS itself."
)
ITSELF = "aws"
POLL_SECONDS_MARGIN = 5.0
CONNECTIONS_MAX = 64


class AwsUnavailable(DynimoError):
    """The call to SQS or SNS failed. ``code`` is the service's name for it, if it answered."""

    status = 502

    def __init__(self, detail: str, code: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Aws:
    """Clients by (service, region). Calls beyond ``deliveries_max`` wait for a thread."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._threads = Threads("backlog-aws", config.deliveries_max)
        self._polls = Threads("backlog-poll", config.mappings_max)
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    @property
    def configured(self) -> bool:
        """Whether there is an endpoint."""
        return bool(self._config.aws_endpoint)

    async def call(self, service: str, region: str, operation: str, **parameters: Any) -> Any:
        """Do one call.

        Raises:
            AwsUnavailable: there is no endpoint, it does not answer, or it refused.
        """
        return await self._threads.run(lambda: self._call(service, region, operation, parameters))

    async def poll(self, region: str, **parameters: Any) -> Any:
        """ReceiveMessage, which may wait; in threads apart, so that it holds nobody up.

        If the caller is cancelled, what still comes is given back to the queue.

        Raises:
            AwsUnavailable: as ``call``.
        """
        left = threading.Event()
        try:
            return await self._polls.run(lambda: self._receive(region, parameters, left))
        except asyncio.CancelledError:
            left.set()
            raise

    def close(self) -> None:
        """Let the threads go; what they do now ends by itself."""
        self._threads.close()
        self._polls.close()

    def _receive(self, region: str, parameters: dict[str, Any], left: threading.Event) -> Any:
        answer = self._call("sqs", region, "receive_message", parameters)
        messages = answer.get("Messages") or []
        if messages and left.is_set():
            entries = [
                {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": 0}
                for number, each in enumerate(messages)
            ]
            given = {"QueueUrl": parameters["QueueUrl"], "Entries": entries}
            self._call("sqs", region, "change_message_visibility_batch", given)
        return answer

    def _call(self, service: str, region: str, operation: str, parameters: dict[str, Any]) -> Any:
        if not self.configured:
            raise AwsUnavailable(NO_ENDPOINT)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - it is slow

        try:
            return getattr(self._client(service, region), operation)(**parameters)
        except ClientError as error:
            told = error.response.get("Error", {})
            raise AwsUnavailable(
                str(told.get("Message") or error), str(told.get("Code") or "")
            ) from error
        except (BotoCoreError, OSError, ValueError) as error:
            raise AwsUnavailable(f"{error}") from error

    def _client(self, service: str, region: str) -> Any:
        with self._lock:
            held = self._clients.get((service, region))
            if held is None:
                held = self._clients[service, region] = self._made(service, region)
            return held

    def _made(self, service: str, region: str) -> Any:
        import botocore.config  # noqa: PLC0415 - it is slow
        import botocore.session  # noqa: PLC0415

        session = botocore.session.get_session()
        given: dict[str, Any] = {}
        if self._config.aws_endpoint != ITSELF:
            given["endpoint_url"] = self._config.aws_endpoint
            providers = session.get_component("credential_provider")
            providers.remove("container-role")  # those ask the network, which has none to give
            providers.remove("iam-role")
            if session.get_credentials() is None:  # an emulator takes anything
                given |= {"aws_access_key_id": "dynimo", "aws_secret_access_key": "dynimo"}
        seconds = self._config.aws_timeout_seconds
        limits = botocore.config.Config(
            connect_timeout=seconds,
            read_timeout=max(seconds, self._config.poll_seconds + POLL_SECONDS_MARGIN),
            retries={"max_attempts": 0},
            max_pool_connections=CONNECTIONS_MAX,
        )
        return session.create_client(service, region_name=region, config=limits, **given)
