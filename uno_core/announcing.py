"""Everything that a session does to a deployment is told to the notifiers that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from attrs import define, field

from uno_core.contracts.engine import Outcome
from uno_core.contracts.state import Record
from uno_core.errors import UnoError
from uno_core.following import Following
from uno_core.model import Json
from uno_core.notifying.announcer import Announcer
from uno_core.notifying.outlet import Outlet

P = ParamSpec("P")
S = TypeVar("S", bound="Announcing")
R = TypeVar("R", Outcome, Outcome | None)


@define(slots=False)
class Announcing(Following):
    """One application in one environment, and who is told what is driven here."""

    _announcer: Announcer | None = field(init=False, default=None)

    def tell(self, kind: str, data: Mapping[str, Json]) -> None:
        """One event, to the listener and to the notifiers."""
        self.listener(kind, data)
        if self._announcer is not None:
            self._announcer.hear(kind, data)

    def asked_for(self, *, version: str, strategy: str, reason: str) -> None:
        """What notifiers are told of a deployment that does not come about."""
        if self._announcer is not None:
            self._announcer.about(version=version, strategy=strategy, reason=reason)

    @contextmanager
    def announcing(self, *, strict: bool, back: bool) -> Iterator[Callable[[Outcome | None], None]]:
        """Tell notifiers what is done within, and wait for them. Gives what is to be told the outcome.

        strict: raises ConfigError and PluginError where one cannot be made; otherwise it is left out,
        with a warning, since going on and going back must not need it. Within another one it does nothing.
        """
        if self._announcer is not None:
            yield lambda _: None
            return
        announcer = self._announcer = Announcer(
            outlets=list(self._outlets(strict=strict)),
            application=self.config.application,
            clock=self.clock,
            logger=self.logger,
            known=self._record,
            back=back,
        )
        hurry = False
        try:
            yield announcer.came
        except BaseException as problem:
            hurry = isinstance(problem, KeyboardInterrupt)
            announcer.failed(problem)
            raise
        finally:
            self._announcer = None
            announcer.close(hurry=hurry)

    def _outlets(self, *, strict: bool) -> Iterator[Outlet]:
        for section in self.config.notify:
            try:
                made = self.notifier(section)
            except UnoError as problem:
                if strict:
                    raise
                self.logger.warning(
                    "a notifier cannot be made: it is told nothing",
                    notifier=section.name,
                    problem=str(problem),
                )
            else:
                yield Outlet(section.name, made, self.logger)

    def _record(self, deployment: str) -> Record | None:
        if deployment:
            return self.store.get(deployment)
        return next(iter(self.history(limit=1)), None)


def announced(
    *, strict: bool = False, back: bool = False
) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]:
    """Make a method of a session tell the notifiers; see `Announcing.announcing`."""

    def decorate(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
        @wraps(method)
        def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with self.announcing(strict=strict, back=back) as came:
                outcome = method(self, *args, **kwargs)
                came(outcome)
            return outcome

        return call

    return decorate
