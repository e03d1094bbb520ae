"""Health checks: one attempt at one target. Repeats, successes in a row and deadlines are the core's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from attrs import evolve, field, frozen

from uno_core.contracts.services import Info
from uno_core.model import Probe, Release, Slot

PLACEHOLDERS = ("{env}", "{slot}", "{host}", "{port}", "{version}", "{app}")
"""What a text of a health check may hold, to be filled in for each target."""


@frozen(kw_only=True)
class Target:
    """What is to be checked: an instance of a slot, or the slot as a whole (no host and port then)."""

    application: str
    slot: Slot
    release: Release
    instance: str = ""
    host: str = ""
    port: int = 0

    @staticmethod
    def unknown(text: str) -> Sequence[str]:
        """What stands in it as a placeholder and is none: `{prot}`."""
        return [found for found in re.findall(r"\{\w+\}", text) if found not in PLACEHOLDERS]

    def fill(self, text: str) -> str:
        """Put the target's own values for `{env}`, `{slot}`, `{host}`, `{port}`, `{version}`, `{app}`."""
        values = {
            "env": self.slot.value,
            "slot": self.slot.value,
            "host": self.host,
            "port": str(self.port),
            "version": self.release.version,
            "app": self.application,
        }
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        return text

    def found_in(self, text: str, wanted: str) -> bool:
        """Whether `wanted`, filled in, stands in the text, as it is or as a regular expression."""
        if self.fill(wanted) in text:
            return True
        literal = evolve(
            self,
            application=re.escape(self.application),
            host=re.escape(self.host),
            release=evolve(self.release, version=re.escape(self.release.version)),
        )
        try:
            return re.search(literal.fill(wanted), text) is not None
        except re.error:
            return False  # a text with brackets of its own, then; it was looked for above

    def __str__(self) -> str:
        return self.instance or self.slot.value


class HealthCheck(Protocol):
    """Must make one attempt, end it within `timeout` seconds, and change nothing.

    An unhealthy target is a Probe, not an exception; what is raised counts as ERROR, never as healthy.
    """

    def check(self, target: Target, timeout: float) -> Probe:
        """One attempt."""

    @property
    def per_instance(self) -> bool:
        """Whether each instance is a target (its address is used), or the slot is one as a whole."""


@frozen(kw_only=True)
class HealthCheckInfo(Info):
    """A health check, as registered.

    `schemes` are the URL schemes that it answers for: a strategy's `health_check_url` chooses the
    check by its scheme and hands it over as the option `url`.
    """

    schemes: frozenset[str] = field(factory=frozenset)
