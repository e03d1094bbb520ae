"""Mistakes are collected, so that a file is mended once and not once for each of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from uno_core.errors import ConfigError, UnoError


class ConfigErrors(ConfigError):
    """Several mistakes at once: nothing was touched. `errors` holds each of them."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        self.errors = tuple(errors)
        told = "\n".join(f"{number}. {error}" for number, error in enumerate(self.errors, 1))
        super().__init__(f"the configuration has {len(self.errors)} mistakes\n{told}")


class Mistakes:
    """Collects what is wrong; raised together at the end."""

    def __init__(self) -> None:
        self._errors: list[ConfigError] = []

    def __bool__(self) -> bool:
        return bool(self._errors)

    def add(
        self, message: str, *, found: str = "", expected: str = "", where: str = "", remedy: str = ""
    ) -> None:
        """Remember one, once: what is used in two places by an anchor is told once."""
        error = ConfigError(message, found=found, expected=expected, where=where, remedy=remedy)
        self.take(error)

    def take(self, error: ConfigError) -> None:
        """Remember an error that was raised elsewhere, each of several by itself."""
        for one in error.errors if isinstance(error, ConfigErrors) else (error,):
            if str(one) not in {str(other) for other in self._errors}:
                self._errors.append(one)

    def take_any(self, error: UnoError) -> None:
        """Remember an error of any kind, a broken plugin for instance, as one of the configuration."""
        if isinstance(error, ConfigError):
            self.take(error)
            return
        self.add(
            error.message, found=error.found, expected=error.expected, where=error.where, remedy=error.remedy
        )

    @property
    def errors(self) -> Sequence[ConfigError]:
        """What was collected, in the order in which it was found."""
        return tuple(self._errors)

    def expected(self) -> Sequence[str]:
        """What each of them expected instead."""
        return [error.expected for error in self._errors if error.expected]

    def raise_any(self) -> None:
        """Raise what was collected: a ConfigError, or ConfigErrors where there are several."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise ConfigErrors(self._errors)


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean increments?`, or nothing where no name is near."""
    found = difflib.get_close_matches(name.replace("-", "_"), list(known), n=1, cutoff=0.6)
    return f"did you mean {found[0]}?" if found else ""
