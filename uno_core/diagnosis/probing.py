"""Probes: each is asked with a limit of time and in a guard of its own, so that none stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from uno_core.clock import Clock
from uno_core.contracts.diagnosis import Condition, Diagnosis
from uno_core.errors import ConfigError, Forbidden, UnoError
from uno_core.model import Json
from uno_core.wire import to_json

LIMIT = 5.0
"""Seconds that a probe has; one that hangs is left to itself, in a thread that ends with the process."""


class _TooLate(Exception):
    """The probe gave no answer in time."""


@frozen
class Found:
    """A diagnosis, and whether it is the configuration that is wrong."""

    diagnosis: Diagnosis
    configuration: bool = False

    @property
    def condition(self) -> Condition:
        return self.diagnosis.condition

    def as_json(self) -> Json:
        made: Json = to_json(self.diagnosis)
        return made


def exit_code(found: Iterable[Found]) -> int:
    """0 without an error, 9 where a right is missing, 2 where it is only the configuration, otherwise 1."""
    wrong = [one for one in found if one.condition is Condition.ERROR]
    if not wrong:
        return 0
    # Whatever else is wrong may only seem so, as long as it must not be looked at.
    if any(one.diagnosis.forbidden for one in wrong):
        return Forbidden.exit_code
    return 2 if all(one.configuration for one in wrong) else 1


def probe(about: str, look: Callable[[], Iterable[Diagnosis]], clock: Clock) -> Sequence[Found]:
    """What a probe finds; what it raises, and that it hangs, are findings too, after what it found before."""
    answer: list[Found] = []

    def ask() -> None:
        for one in look():
            answer.append(Found(_checked(one)))  # noqa: PERF401 - what is found is kept, whatever comes next

    try:
        _within(clock, ask)
    except _TooLate:
        return [
            *answer,
            Found(
                Diagnosis.error(
                    about,
                    f"no answer within {LIMIT:g} s",
                    "see whether what it asks can be reached from this machine, and answers at all",
                )
            ),
        ]
    except UnoError as problem:
        return [*answer, *told(about, problem)]
    except (Exception, SystemExit) as problem:  # noqa: BLE001 - one broken plugin must not hide the others
        found = f"a bug in uno or in a plugin: {type(problem).__name__}: {problem}"
        remedy = "tell its author; `uno plugins` says who that is"
        return [*answer, Found(Diagnosis.error(about, found, remedy))]
    return answer


def _within(clock: Clock, ask: Callable[[], None]) -> None:
    done: list[bool] = []

    def work() -> bool:
        ask()
        done.append(True)
        return True

    try:
        clock.within(LIMIT, work)
    except UnoError as problem:
        # The clock's own word is told from the same word of a platform by what it says.
        if not done and problem.found == f"nothing within {LIMIT:g} s":
            raise _TooLate from problem
        raise


def told(about: str, problem: UnoError) -> Sequence[Found]:
    """An error as findings: each of several by itself."""
    several: Sequence[UnoError] = getattr(problem, "errors", None) or (problem,)
    return [Found(_as_diagnosis(about, one), configuration=isinstance(one, ConfigError)) for one in several]


def _as_diagnosis(about: str, problem: UnoError) -> Diagnosis:
    parts = [problem.message, problem.found and f"found {problem.found}"]
    parts += [problem.expected and f"expected {problem.expected}", problem.where and f"at {problem.where}"]
    remedy = problem.remedy or "`uno plugins` and `uno status` show more"
    found = "; ".join(part for part in parts if part)
    return Diagnosis.error(about, found, remedy, forbidden=isinstance(problem, Forbidden))


def _checked(value: object) -> Diagnosis:
    if not isinstance(value, Diagnosis):
        raise TypeError(f"expected a Diagnosis, found {value!r}")
    return value
