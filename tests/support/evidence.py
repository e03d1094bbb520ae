"""Evidence in virtual time: a provider that answers what a test wrote down, look by look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from attrs import define, evolve, field

from uno_core import Bounds, Counters, Figures, NoData, Query, Services, Slot, Unsupported
from uno_core.analysis.evidence import Evidence
from uno_core.analysis.measuring import Metric
from uno_core.analysis.source import Source
from uno_core.analysis.windows import Watcher
from uno_core.builtin import ThresholdJudge, ThresholdOptions
from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.stage import Silent

Answer = Figures | NoData | BaseException


@define
class Answering:
    """A provider with history: one answer a look, the last one again and again.

    slots: answers of the stable slot, where they are others than the candidate's.
    """

    answers: Sequence[Answer]
    stable: Sequence[Answer] = ()
    asked: list[tuple[Slot, datetime, datetime]] = field(factory=list)

    def window(self, query: Query, start: datetime, end: datetime) -> Figures | NoData:
        self.asked.append((query.slot, start, end))
        answers = self.stable if query.slot is Slot.BLUE and self.stable else self.answers
        number = sum(slot is query.slot for slot, _, _ in self.asked) - 1
        answer = answers[min(number, len(answers) - 1)]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def sample(self, query: Query) -> Counters | NoData:
        raise Unsupported("it keeps history", where=query.slot.value)


GOOD = Figures(requests=1000.0)
BAD = Figures(requests=1000.0, errors=100.0)
NOTHING = NoData("no requests")


def source(clock: VirtualClock, provider: Any, *, key: str = "played", **more: Any) -> Source:
    """A source that looks every five seconds."""
    share, stable = more.pop("share", None), more.pop("stable", None)
    query = Query(application="shop", environment="prod", slot=Slot.GREEN)
    watcher = Watcher(
        provider,
        history=more.pop("history", True),
        queries={slot: evolve(query, slot=slot) for slot in Slot},
        slot=Slot.GREEN,
        stable=stable,
        share=share,
        since=clock.now(),
    )
    given = {"step": 5.0, "counts": True, **more}
    return Source(key=key, name=key, watcher=watcher, clock=clock, logger=Silent(), **given)


def metric(of: Source, name: str = "error_rate", judge: Any = None, **bounds: Any) -> Metric:
    """A metric with the threshold judge, at most 1 % unless said otherwise."""
    limits = {} if "max" in bounds or "min" in bounds else {"max": 0.01}
    return Metric(
        name=name,
        bounds=Bounds(**limits, **bounds),
        source=of,
        judge=judge or ThresholdJudge(ThresholdOptions(), _NONE),
    )


_NONE: Services = None  # type: ignore[assignment]  # the judge of bounds asks nothing of anybody


@define
class Watching:
    """Evidence that is looked at every five seconds."""

    clock: VirtualClock
    evidence: Evidence

    def look(self, times: int = 1, every: float = 5.0) -> Any:
        """The analysis after so many looks, each after five seconds."""
        for _ in range(times):
            self.clock.sleep(every)
            analysis = self.evidence.look()
        return analysis

    def verdicts(self, times: int) -> list[str]:
        return [str(self.look().verdict) for _ in range(times)]


def watching(
    *answers: Answer, make: Callable[[VirtualClock, Answering], Source] | None = None, **bounds: Any
) -> Watching:
    """Evidence on one metric, of these answers."""
    clock = VirtualClock()
    provider = Answering(answers)
    one = make(clock, provider) if make else source(clock, provider)
    return Watching(clock, Evidence([one], [metric(one, **bounds)], clock))


__all__ = ["BAD", "GOOD", "NOTHING", "Answering", "Watching", "metric", "source", "watching"]
