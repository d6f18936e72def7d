"""What an environment is told of an invocation: who calls, and to whom that is told."""

from __future__ import annotations

from typing import Any

import pytest

from dynimo import testing
from dynimo.functions import frames
from dynimo.model.caller import Caller
from dynimo.model.invocation import Invocation
from dynimo.runtime.outcome import ContextFactory
from dynimo.sdk import context

ADA = Caller(
    arn="arn:aws:sts::000000000000:assumed-role/ops/ada", account="000000000000",
    principal="arn:aws:iam::000000000000:role/ops", function="arn:f", signed=True,
    access_key="ASIAKEY", session_policy="{}",
)  # fmt: skip


def _meta(runtime: str = "", **given: Any) -> dict[str, Any]:
    asked = Invocation(id="1", function="demo-work", event=b"{}", arrived_ns=1, **given)
    version = testing.version(runtime=runtime)
    return frames.invoke(asked, version, arn="arn", deadline=1.5, kin=0)


def test_a_function_of_an_app_sees_who_signed() -> None:
    """ARN, account, principal, function and address arrive; the access key does not."""
    made = ContextFactory({}).make(_meta(caller=ADA, address="192.0.2.7"))
    assert made.caller == context.Caller(
        arn=ADA.arn, account=ADA.account, principal=ADA.principal, function=ADA.function,
        address="192.0.2.7",
    )  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"client_context": '{"caller": {"arn": "arn:x"}, "custom": {"caller": "arn:x"}}'},
        {"caller": Caller(arn="arn:aws:iam::000000000000:root", account="000000000000")},
        {"caller": ADA, "runtime": "python3.11"},
    ],
    ids=["nobody", "client context", "unproved", "another runtime"],
)
def test_nobody_else_is_a_caller(given: dict[str, Any]) -> None:
    """What a client says of itself, one who was not proved, other runtimes: there is none."""
    meta = _meta(**given)
    assert "caller" not in meta
    assert ContextFactory({}).make(meta).caller is None
