"""The states of a runtime, and which step may follow which: AWS's own state machine. Pure.

Source: aws-lambda-runtime-interface-emulator, internal/lambda/core/states.go. A step that is not
in the table is a 403 InvalidStateTransition.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Where a runtime is; the value is AWS's name."""

    STARTED = "Started"
    RESTORING = "Restoring"
    INIT_ERROR = "InitError"
    READY = "Ready"
    RUNNING = "Running"
    RESPONDING = "InvocationResponse"
    FAILING = "InvocationErrorResponse"
    SENT = "ResponseSent"


class Step(Enum):
    """What is done; the value is the name of the state that it leads to."""

    RESTORE = "RestoreReady"
    NEXT = "Ready"
    GIVE = "Running"
    RESPOND = "InvocationResponse"
    FAIL = "InvocationErrorResponse"
    SEND = "ResponseSent"
    INIT_FAIL = "InitError"


TABLE: dict[tuple[State, Step], State] = {
    (State.STARTED, Step.RESTORE): State.RESTORING,
    (State.STARTED, Step.NEXT): State.READY,
    (State.STARTED, Step.INIT_FAIL): State.INIT_ERROR,
    (State.RESTORING, Step.NEXT): State.READY,
    (State.RESTORING, Step.INIT_FAIL): State.INIT_ERROR,
    (State.READY, Step.NEXT): State.READY,
    (State.READY, Step.GIVE): State.RUNNING,
    # Asked again while it runs: its answer was lost on the way, so it gets the same once more.
    (State.RUNNING, Step.NEXT): State.RUNNING,
    (State.RUNNING, Step.RESPOND): State.RESPONDING,
    (State.RUNNING, Step.FAIL): State.FAILING,
    (State.RESPONDING, Step.SEND): State.SENT,
    (State.FAILING, Step.SEND): State.SENT,
    (State.SENT, Step.NEXT): State.READY,
}


class NotAllowed(Exception):
    """A step that may not follow; the text is AWS's."""

    def __init__(self, state: State, step: Step) -> None:
        super().__init__(
            f"State transition from {state.value} to {step.value} failed for runtime."
            " Error: State transition is not allowed"
        )


class Lifecycle:
    """One runtime's way through the states."""

    def __init__(self) -> None:
        self.state = State.STARTED

    def __repr__(self) -> str:
        return f"<Lifecycle {self.state.value}>"

    def take(self, step: Step) -> None:
        """Go on.

        Raises:
            NotAllowed: not from here; nothing changed.
        """
        after = TABLE.get((self.state, step))
        if after is None:
            raise NotAllowed(self.state, step)
        self.state = after

    @property
    def initialising(self) -> bool:
        """Whether it has not asked for its first invocation yet."""
        return self.state in (State.STARTED, State.RESTORING, State.INIT_ERROR)
