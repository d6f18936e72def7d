"""One invocation, from accept to outcome: which version, may it, which fleet; then what it used.

Knows functions by name through ``resolve``. How an environment is found is the pool's business; how
one is forked is the sandbox's; what a caller is told of an outcome is the API's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TypeAlias

from dynimo import ports, telemetry
from dynimo.functions import lineage, outcomes
from dynimo.functions.admission import Admission
from dynimo.functions.config import Config
from dynimo.functions.fleet import Fleet, Surroundings
from dynimo.functions.fleets import Fleets
from dynimo.functions.headroom import Headroom
from dynimo.functions.journal import Journal
from dynimo.functions.specs import Deployment, of_app, pool_limits, sandbox_spec
from dynimo.functions.usage import usage
from dynimo.functions.weights import Router
from dynimo.model.errors import (
    DynimoError,
    InitError,
    PayloadTooLarge,
    RecursiveInvocation,
    TooManyRequests,
)
from dynimo.model.function import Route, Version
from dynimo.model.invocation import Invocation, Outcome
from dynimo.model.names import ACCOUNT_DEFAULT, Place
from dynimo.telemetry import Metrics

log = logging.getLogger("dynimo.functions")

Resolve: TypeAlias = Callable[[Place, str, str], Route]
Credentials: TypeAlias = Callable[[Version], Mapping[str, str]]
"""The variables that let a version's code sign its own calls."""
Deployments: TypeAlias = Callable[[Version], Deployment]
"""What a deployment adds to a version that ``deploy`` was not called for."""


class _Call(NamedTuple):
    """An invocation, and where it was led."""

    invocation: Invocation
    version: Version
    route: Route
    loop: asyncio.AbstractEventLoop


class Invoker:
    """Invokes functions by name."""

    def __init__(
        self,
        *,
        sandbox: ports.Sandbox,
        clock: ports.Clock,
        config: Config,
        metrics: Metrics,
        resolve: Resolve,
        logs: ports.Logs,
        meter: ports.Meter,
        credentials: Credentials = lambda _: {},
        deployment: Deployments = lambda _: Deployment(),
        recursion: Callable[[Version], str] = lambda _: "Terminate",
    ) -> None:
        """``recursion`` says whether a function may go round (``Allow``) or is cut."""
        self._sandbox = sandbox
        self._clock = clock
        self._config = config
        self._metrics = metrics
        self._resolve = resolve
        self._logs = logs
        self._meter = meter
        self._credentials = credentials
        self._recursion = recursion
        self._deployment = deployment
        self._router = Router()
        self._deployments: dict[str, Deployment] = {}
        self._provisioned: dict[str, int] = {}
        self.admission = Admission(config.concurrency_max)
        self.held = Fleets(self._fleet, clock, config)
        self._room: Callable[[], bool] = lambda: True

    def mind(self, headroom: Headroom) -> None:
        """Start environments from now on only while the machine has memory for them."""
        self._room = headroom
        # Not at once: it is asked in the middle of a decision.
        headroom.on_short = self._let_go_soon

    def _let_go_soon(self) -> None:
        self._clock.call_later(0, self.held.let_go)

    async def deploy(
        self, version: Version, deployment: Deployment, *, beside: bool = False
    ) -> None:
        """Run an app's version from now on; the one before it finishes what it runs, then ends.

        With ``beside`` the ones before stay until ``withdraw``.

        Raises:
            InitError: its code could not be imported; the version before stays.
        """
        arn = version.arn
        unchanged = self._deployments.get(arn)
        if unchanged == deployment and self.held.find(version) is not None:
            return
        self._deployments[arn] = deployment
        fleet = self._fleet(version)
        await fleet.open()
        self.held.pin(fleet)
        if not beside:
            self.withdraw(version.place, version.function, keep={arn})

    def withdraw(self, place: Place, function: str, *, keep: Collection[str] = ()) -> None:
        """End an app's versions but those in ``keep`` (ARNs); what they run may finish."""
        prefix = place.function(function) + ":"
        for arn in [each for each in self._deployments if each.startswith(prefix)]:
            if arn not in keep:
                del self._deployments[arn]
                self.held.unpin(arn)

    async def prepare(self, version: Version) -> None:
        """Import the code, so that the first invocation only forks.

        That it cannot be imported is no failure here: who invokes it is told, as on AWS.
        """
        try:
            await self.held.open(version)
        except InitError as error:
            log.warning("%s: %s", version, error)

    def retire(self, version: Version) -> None:
        """A version was replaced or deleted; what it runs may finish."""
        self.held.retire(version)

    async def provision(self, version: Version, environments: int) -> None:
        """Keep this many environments of a version ready; 0 ends that.

        Raises:
            InitError: its code cannot be imported.
        """
        before = self._provisioned.pop(version.arn, 0)
        if environments:
            self._provisioned[version.arn] = environments
        if bool(before) != bool(environments):
            self.held.retire(version)  # its variables say how environments come to be
        fleet = self.held.find(version)
        if fleet is None and environments:
            fleet = await self.held.open(version)
        if fleet is not None:
            fleet.limit(pool_limits(version, self._config, provisioned=environments))

    def provisioned(self, version: Version) -> tuple[int, int]:
        """(asked for, ready) environments of a version."""
        fleet = self.held.find(version)
        asked = self._provisioned.get(version.arn, 0)
        return asked, min(asked, fleet.ready) if fleet is not None else 0

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run it to its end. A function's own failure is an Outcome, not an exception.

        Raises:
            ResourceNotFound: there is no such function, version or alias.
            PayloadTooLarge: the event is over ``request_bytes_max``.
            RecursiveInvocation: its chain has passed this function ``recursion_max`` times.
            TooManyRequests: the function's or the account's concurrency is used up.
            Throttled: the queue is full, or an environment did not come free in time.
            Stopping: the platform is going down.
        """
        route = self._resolve(invocation.place, invocation.function, invocation.qualifier)
        version = self._router.pick(route, invocation.sticky)
        if len(invocation.event) > self._config.request_bytes_max:
            raise PayloadTooLarge(
                f"{len(invocation.event)} bytes; request_bytes_max is"
                f" {self._config.request_bytes_max}."
            )
        if invocation.trace:
            invocation = self._traced(invocation, version)
        if invocation.sink is not None:
            invocation.sink.routed(version.label)
        call = _Call(invocation, version, route, asyncio.get_running_loop())
        try:
            self.admission.enter(version.place.account, version.function)
        except TooManyRequests as error:
            self._refused(call, error)
            raise
        try:
            fleet = self.held.find(version) or await self.held.open(version)
        except InitError as error:
            outcome = outcomes.never_began(invocation, version, error.error)
            outcome = self._journal(version).failed(invocation, outcome)
            self._ended(call, outcome)
            return outcome
        except BaseException:
            self.admission.leave(version.place.account, version.function)
            raise
        result = await self._run(fleet, call)
        if isinstance(result, DynimoError):
            raise result
        return result

    @property
    def fleets(self) -> Mapping[str, Fleet]:
        """Names that tell fleets apart → fleets, for statistics: an app's by its function's."""
        return {_short_name(fleet.version): fleet for fleet in self.held}

    async def close(self, grace_seconds: float) -> None:
        """Let everything that runs finish for ``grace_seconds``, then end it all."""
        await self.held.close(grace_seconds)

    def _traced(self, invocation: Invocation, version: Version) -> Invocation:
        """The invocation with one hop more in its trace. Raises RecursiveInvocation."""
        arn = version.function_arn
        most = self._config.recursion_max
        if lineage.hops(invocation.trace, arn) >= most > 0 and lineage.is_cut(
            invocation.trace, arn, hops_max=most, setting=self._recursion(version)
        ):
            raise RecursiveInvocation(
                f"The chain of invocations has passed {arn} {most} times and was cut. If it is"
                " meant to go round, say so with PutFunctionRecursionConfig (RecursiveLoop=Allow)."
            )
        return invocation.but(trace=lineage.passed(invocation.trace, arn))

    async def _run(self, fleet: Fleet, call: _Call) -> Outcome | DynimoError:
        """Wait for its end. If the caller leaves, what runs goes on and is counted all the same."""
        future: asyncio.Future[Outcome | DynimoError] = call.loop.create_future()

        def done(result: Outcome | DynimoError) -> None:
            if not future.done():
                future.set_result(result)  # whoever waits runs next, not yet
            self._ended(call, result)

        try:
            fleet.run(call.invocation, done, call.route.arn)
            return await future
        except asyncio.CancelledError:
            if fleet.withdraw(call.invocation.id):
                self.admission.leave(call.version.place.account, call.version.function)
            raise

    def _ended(self, call: _Call, result: Outcome | DynimoError) -> None:
        """It is over, however: let the next one in, count it, and say so."""
        version = call.version
        self.admission.leave(version.place.account, version.function)
        if isinstance(result, DynimoError):
            self._refused(call, result)
            return
        self._record(call, result)  # now: what its caller has heard of, no kill may lose
        call.loop.call_soon(self._tell, version, result)

    def _tell(self, version: Version, outcome: Outcome) -> None:
        """Count it for those who watch, and log it; by then its caller has the answer."""
        self._metrics.finished(outcome)
        if self._config.report_lines:
            text = outcome.report(version.configuration.memory_mib)
            telemetry.note(log, text, function=version.name, request=outcome.id)

    def _refused(self, call: _Call, error: DynimoError) -> None:
        self._metrics.refused(type(error).__name__)
        if error.status == TooManyRequests.status:
            self._record(call, None)

    def _record(self, call: _Call, outcome: Outcome | None) -> None:
        when_ms = int(self._clock.now() * 1000)
        alias = call.route.alias
        self._meter.record(usage(call.invocation, call.version, alias, outcome, when_ms=when_ms))

    def _fleet(self, version: Version) -> Fleet:
        provisioned = self._provisioned.get(version.arn, 0)
        deployment = self._deployments.get(version.arn) or self._deployment(version)
        arn = version.function_arn
        label = version.label
        around = Surroundings(
            sandbox=self._sandbox,
            clock=self._clock,
            journal=self._journal(version),
            response_bytes_max=self._config.response_bytes_max,
            stream_bytes_max=self._config.stream_bytes_max,
            own_variables=lambda: self._credentials(version),
            room=self._room,
            held=lambda mib_seconds: self._meter.held(arn, label, mib_seconds=mib_seconds),
        )
        return Fleet(
            version,
            sandbox_spec(version, deployment, self._config, provisioned=bool(provisioned)),
            pool_limits(version, self._config, provisioned=provisioned),
            around,
        )

    def _journal(self, version: Version) -> Journal:
        return Journal(version, self._logs, self._clock)


def _short_name(version: Version) -> str:
    if of_app(version):
        return version.function
    if version.place.account == ACCOUNT_DEFAULT:
        return str(version)
    return f"{version.place.account}:{version}"
