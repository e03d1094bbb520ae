"""One tree of errors. Each says what was found, what was expected, where, and what to do next.

Only these cross a contract; whatever else a plugin raises is wrapped in `PluginError`, with the
plugin named. `code` is stable and stands in the journal; `exit_code` is what the command line
returns when the error ends a command before anything was rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import ClassVar

from uno_core.model import Analysis, Json


class UnoError(Exception):
    """Anything that went wrong and was understood.

    `message` says what happened; the other four are left out where they say nothing new.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(
        self, message: str, *, found: str = "", expected: str = "", where: str = "", remedy: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.found = found
        self.expected = expected
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        labels = ("where", "found", "expected", "remedy")
        parts = [self.message, *(f"{label}: {text}" for label in labels if (text := getattr(self, label)))]
        return "\n  ".join(parts)

    def as_json(self) -> Mapping[str, Json]:
        return {
            "code": self.code,
            "message": self.message,
            "found": self.found,
            "expected": self.expected,
            "where": self.where,
            "remedy": self.remedy,
        }


class ConfigError(UnoError):
    """A configuration, an option or an argument is wrong: nothing was touched."""

    code = "config"
    exit_code = 2


class PluginError(UnoError):
    """A plugin is missing, broken, or raised something of its own: what it was doing is unknown."""

    code = "plugin"


class PlatformError(UnoError):
    """A platform could not do what it was asked: the deployment rolls back."""

    code = "platform"


class NotReady(PlatformError):
    """Instances were not ready at the deadline: nothing was routed to them."""

    code = "not-ready"


class SwitchTimeout(PlatformError):
    """A split was written but was not in force at the deadline: the deployment rolls back."""

    code = "switch-timeout"


class Unsupported(PlatformError):
    """The platform cannot do this at all: nothing was written."""

    code = "unsupported"
    exit_code = 2


class Forbidden(PlatformError):
    """The platform refused for want of permission: nothing was written."""

    code = "forbidden"
    exit_code = 9


class Throttled(PlatformError):
    """The platform asked for fewer calls: tried again until the deadline."""

    code = "throttled"


class Unanswered(PlatformError):
    """A write was sent and its answer lost: it may or may not have taken effect."""

    code = "unanswered"


class Refused(UnoError):
    """uno itself refused an effect that would have hurt: nothing was written."""

    code = "refused"


class Unhealthy(UnoError):
    """A health check failed until its deadline: the deployment rolls back."""

    code = "unhealthy"


class HookFailed(UnoError):
    """A method of the strategy's own failed as an effect: the deployment rolls back."""

    code = "call-failed"


class NotServing(UnoError):
    """The strategy reported success, but the requested release does not serve."""

    code = "not-serving"


class Drift(UnoError):
    """Somebody else changed what uno had written: uno stops and writes nothing more."""

    code = "drift"
    exit_code = 7


class Unsettled(UnoError):
    """The world is not a place to start from, two slots with traffic for instance: nothing was touched."""

    code = "unsettled"
    exit_code = 7


class StalePlan(UnoError):
    """What is to be deployed, or the world, is not what the plan was made from: nothing was touched."""

    code = "stale-plan"
    exit_code = 7


class Locked(UnoError):
    """Another deployment of the application is under way: nothing was touched."""

    code = "locked"
    exit_code = 5


class LockLost(UnoError):
    """The lock was lost: nothing more is written, not even a rollback."""

    code = "lock-lost"
    exit_code = 5


class Nondeterminism(UnoError):
    """The strategy asked for something else than its journal holds: its code or options changed."""

    code = "nondeterminism"


class StateError(UnoError):
    """The state store could not be read or written: no effect starts without it."""

    code = "state"


def error_from_json(value: Mapping[str, Json]) -> UnoError:
    """Make an error again from the journal, so that a replay raises what the first run raised."""
    text = {key: str(value.get(key, "")) for key in ("found", "expected", "where", "remedy")}
    kinds = {kind.code: kind for kind in reversed(list(_tree(UnoError)))}
    return kinds.get(str(value["code"]), UnoError)(str(value["message"]), **text)


def _tree(kind: type[UnoError]) -> Iterator[type[UnoError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


class Unwind(BaseException):
    """Takes a strategy down from within, past `except Exception`. Its context is dead from then on."""


class Suspend(Unwind):
    """The driver stops here; the deployment stays resumable.

    exit_code: what the command returns. until: when there is something to do again, on the wall
    clock; None where a person decides.
    """

    def __init__(self, why: str, *, exit_code: int = 130, until: datetime | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.exit_code = exit_code
        self.until = until


class Stopped(Unwind):
    """A person wants everything left where it is: nothing more is written."""

    def __init__(self, reason: str, *, signal: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.signal = signal


class Breach(Unwind):
    """Evidence said FAIL, or never came: the traffic goes back at once."""

    def __init__(self, analysis: Analysis) -> None:
        super().__init__(analysis.reason)
        self.analysis = analysis


class Aborted(Unwind):
    """A person asked for the way back; `signal` is the word to be answered once it is recorded."""

    def __init__(self, reason: str, by: str = "", *, signal: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.by = by
        self.signal = signal
