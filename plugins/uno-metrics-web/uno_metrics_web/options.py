"""The options of the provider `web`, and what it reads by them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from attrs import frozen

from uno_core import Reads, Secret, option
from uno_metrics_web.filling import PLACEHOLDERS, fill, used


@frozen(kw_only=True)
class WebOptions:
    """What is asked, and where the numbers stand in the answer."""

    url: str = option(
        help="The URL that answers in JSON; {slot} is blue or green, {version}, {app} and {environment} what"
        " they say"
    )
    values: Mapping[str, str] = option(
        factory=dict,
        help="Metrics by name: for each a JMESPath expression that finds one number as it is now",
    )
    requests: str = option(
        default="",
        help="A JMESPath expression that finds how many requests there were since the process began",
    )
    errors: str = option(default="", help="Likewise how many of them failed")
    process: str = option(
        default="",
        help="A JMESPath expression that finds what tells one process from the next: when it began, for"
        " instance",
    )
    method: str = option(default="GET", choices=("GET", "POST"), help="The method of the request")
    body: str = option(default="", help="What a POST sends, JSON for instance; placeholders as in the URL")
    headers: Mapping[str, str | Secret] = option(
        factory=dict, help="Headers of the request; a value may be a secret"
    )
    timeout: float = option(default=10.0, gt=0, unit="s", help="How long the whole answer may take")
    ca: str = option(default="", help="A file or folder of certificates to verify an https URL by")

    def __attrs_post_init__(self) -> None:
        self._check_url()
        used(self.body)
        if self.body and self.method != "POST":
            raise ValueError("body: expected method: POST beside it")
        if not (self.values or self.requests):
            raise ValueError("nothing is asked: expected values, or requests and errors")
        for name in ("errors", "process"):
            if getattr(self, name) and not self.requests:
                raise ValueError(f"{name} without requests: expected the counter of all requests, too")
        if taken := self._counted() & set(self.values):
            raise ValueError(f"values.{min(taken)}: that name belongs to what is counted; choose another one")
        self._check_expressions()

    def reads(self) -> Reads:
        """What can be asked for."""
        return Reads(
            names=self._counted() | frozenset(self.values), counts=bool(self.requests and self.errors)
        )

    def _counted(self) -> frozenset[str]:
        names = {"requests": self.requests, "error_rate": self.errors}
        return frozenset(name for name, expression in names.items() if expression)

    def _check_url(self) -> None:
        used(self.url)
        # As a host has it: a placeholder may stand anywhere.
        sample = fill(self.url, dict.fromkeys(PLACEHOLDERS, "x"), str)
        try:
            parts = urlsplit(sample)
            fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fine = False
        if "@" in urlsplit(sample.partition("?")[0]).netloc or (not fine and "@" in sample):
            raise ValueError(
                "url holds a password: expected it in a header, as a secret"
                ' (headers: {Authorization: "${VARIABLE}"})'
            )
        if not fine or not sample.isprintable() or " " in sample:
            raise ValueError(f"url = {self.url}: expected http://… or https://…")

    def _check_expressions(self) -> None:
        # Only here: who asks for the options' names need not have jmespath loaded.
        from uno_metrics_web.expressions import check

        own = {"requests": self.requests, "errors": self.errors, "process": self.process}
        named = {f"values.{name}": text for name, text in self.values.items()}
        for name, text in {**named, **{name: text for name, text in own.items() if text}}.items():
            try:
                check(text)
            except ValueError as wrong:
                raise ValueError(f"{name}: {wrong}") from None
