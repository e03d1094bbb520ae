"""What `uno doctor` finds, and the door by which plugins bring findings of their own."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol, runtime_checkable

from attrs import frozen


class Condition(StrEnum):
    """WARNING: it works, but will hurt one day. ERROR: a deployment would fail, or something is down."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@frozen(kw_only=True)
class Diagnosis:
    """One thing that was looked at: in a word, how it is, what was found, and how it is mended.

    forbidden: what is wrong is that somebody is not permitted to do it: `uno doctor` exits with 9.
    """

    about: str
    condition: Condition
    found: str
    remedy: str = ""
    forbidden: bool = False

    @classmethod
    def ok(cls, about: str, found: str) -> Diagnosis:
        """As it has to be."""
        return cls(about=about, condition=Condition.OK, found=found)

    @classmethod
    def warning(cls, about: str, found: str, remedy: str) -> Diagnosis:
        """It works, but will hurt one day."""
        return cls(about=about, condition=Condition.WARNING, found=found, remedy=remedy)

    @classmethod
    def error(cls, about: str, found: str, remedy: str, *, forbidden: bool = False) -> Diagnosis:
        """A deployment would fail, or something is down."""
        return cls(about=about, condition=Condition.ERROR, found=found, remedy=remedy, forbidden=forbidden)


@runtime_checkable
class Diagnosing(Protocol):
    """A metric provider, state store, health check or notifier that can say how it is.

    Must only look: write nothing, start nothing, and answer within five seconds. What it raises is
    told as an error of the plugin's; the other findings are not lost by it, and neither are those that an
    iterator gave before.
    """

    def diagnose(self) -> Iterable[Diagnosis]:
        """What is right and what is wrong with it here. Called once by each `uno doctor`."""
