"""Commands on a stage: they take virtual time, and end as a test says."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence

from attrs import define, field

from uno_core.clock import Clock
from uno_core.contracts.engine import PHASES
from uno_core.model import Json


@define
class Acted:
    """One command: it ends by itself after so many seconds, unless it is ended before."""

    clock: Clock
    number: int
    until: float
    code: int
    env: Mapping[str, str]
    dead: Callable[[], bool]
    killed: bool = False
    began: float = 0.0
    ended_at: float = 0.0

    def who(self) -> Json:
        return {"number": self.number}

    def ended(self) -> int | None:
        if self.killed:
            return -15
        return self.code if self.clock.monotonic() >= self.until else None

    def end(self, *, at_once: bool = False) -> None:  # noqa: ARG002 - the contract's argument
        if self.ended() is None and not self.dead():
            self.killed, self.ended_at = True, self.clock.monotonic()

    def said(self) -> str:
        return f"said by {self.env.get('UNO_HOOK', '')}"


@define
class Stagehands:
    """Starts commands that only act.

    plays: seconds and exit code by the first word of a command. dead: whether their driver is; a dead
    one ends nobody.
    """

    clock: Clock
    plays: dict[str, tuple[float, int]] = field(factory=dict)
    dead: Callable[[], bool] = lambda: False
    started: list[Acted] = field(factory=list)

    def start(self, run: Sequence[str], env: Mapping[str, str], secrets: Mapping[str, str]) -> Acted:
        seconds, code = self.plays.get(run[0], (0.0, 0))
        told = {**env, **dict.fromkeys(secrets, "***")}
        acted = Acted(
            clock=self.clock,
            number=len(self.started),
            until=self.clock.monotonic() + seconds,
            code=code,
            env=told,
            dead=self.dead,
            began=self.clock.monotonic(),
            ended_at=self.clock.monotonic() + seconds,
        )
        self.started.append(acted)
        return acted

    def runs(self, who: Json) -> bool:
        return isinstance(who, Mapping) and self.started[int(str(who["number"]))].ended() is None

    def end(self, who: Json) -> None:
        if isinstance(who, Mapping):
            self.started[int(str(who["number"]))].end(at_once=True)


def complaints(commands: Stagehands, hooks: Container[str], *, whole: bool) -> Iterator[str]:
    """What is wrong with how the hooks ran. `whole`: the release counts as a success."""
    runs = commands.started
    for phase in PHASES if whole else ():
        if phase in hooks and not any(run.env["UNO_HOOK"] == phase for run in runs):
            yield f"a success, and the hook {phase} never ran"
    for number, run in enumerate(runs):
        name = run.env["UNO_HOOK"]
        beside = [other.env["UNO_HOOK"] for other in runs[:number] if other.ended_at > run.began]
        if beside:
            yield f"two hooks ran at once: {beside[0]}, {name}"
        if len({other.env["UNO_HOOK_ID"] for other in runs if other.env["UNO_HOOK"] == name}) > 1:
            yield f"{name} ran under two ids"
