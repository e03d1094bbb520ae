"""The options of the provider `prometheus`, and what it reads by them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from attrs import frozen

from uno_core import Reads, Secret, Slot, option, web
from uno_metrics_prometheus.presets import PRESETS, Selectors
from uno_metrics_prometheus.template import plain, selector, used

UNITS = {"s": 1.0, "ms": 0.001}


@frozen(kw_only=True)
class PrometheusOptions:
    """Where Prometheus is, and what is asked of it."""

    url: str = option(
        help="Where Prometheus answers; with its path, where it has one, and without a password"
    )
    preset: str | None = option(
        default=None,
        choices=tuple(PRESETS),
        help="The proxy whose metrics are read, instead of selectors of your own",
    )
    requests: str = option(
        default="", help='A selector of counters, http_requests_total{slot="{slot}"} for instance'
    )
    errors: str = option(default="", help="A selector of those that count requests that failed")
    latency: str = option(default="", help="A selector of the buckets of a histogram")
    latency_unit: str = option(
        default="s", choices=tuple(UNITS), help="What the edges of the buckets of `latency` count"
    )
    queries: Mapping[str, str] = option(
        factory=dict, help="Metrics of your own by name: a query each, whose answer is one number"
    )
    labels: Mapping[str, str] = option(
        factory=dict, help="Labels that the series of the preset must have too, or instead of its own"
    )
    slots: Mapping[str, str] = option(
        factory=dict, help="What blue and green are called in the labels, in place of {slot}"
    )
    interval: float = option(
        default=15.0, gt=0, unit="s", help="How often Prometheus scrapes: no window is shorter"
    )
    lag: float = option(
        default=5.0, ge=0, unit="s", help="How long ago windows end: longer than the slowest scrape takes"
    )
    timeout: float = option(default=10.0, gt=0, unit="s", help="How long all queries of one look may take")
    user: str = option(default="", help="The user for basic authentication")
    password: Secret | None = option(default=None, help="The user's password")
    token: Secret | None = option(default=None, help="A bearer token, instead of user and password")
    headers: Mapping[str, str | Secret] = option(
        factory=dict, help="Other headers, X-Scope-OrgID for instance; a value may be a secret"
    )
    ca: str = option(default="", help="A file or folder of certificates to verify Prometheus by")
    certificate: str = option(default="", help="A file with the certificate that uno shows")
    key: str = option(default="", help="A file with the key of it, where that is another one")

    def __attrs_post_init__(self) -> None:
        self._check_url()
        self._check_credentials()
        self._check_selectors()
        for name in self.slots:
            if name not in set(Slot):
                raise ValueError(f"slots = {name}: expected blue or green")
        for text in self.slots.values():
            plain(text, _NOTHING)
        for name, text in self.queries.items():
            try:
                used(text)
            except ValueError as wrong:
                raise ValueError(f"queries.{name}: {wrong}") from None
            if name in self._counted():
                raise ValueError(f"queries.{name}: that name belongs to what is counted; choose another one")

    def selectors(self) -> Selectors:
        """What is counted; nothing where there are only queries."""
        if self.preset:
            return PRESETS[self.preset].selectors(self.labels)
        return Selectors(
            requests=(self.requests,) if self.requests else (),
            errors=(self.errors,) if self.errors else (),
            latency=(self.latency,) if self.latency else (),
            unit=UNITS[self.latency_unit],
        )

    def called(self, slot: Slot, *, preset: bool) -> str:
        """What a slot is called in the labels; `preset`: in those of the preset."""
        names = dict(PRESETS[self.preset].slots) if preset and self.preset else {}
        return {**names, **self.slots}.get(slot.value, slot.value)

    def reads(self) -> Reads:
        """What can be asked for."""
        counted = self.selectors()
        return Reads(
            names=self._counted() | frozenset(self.queries),
            counts=bool(counted.requests and counted.errors),
            latency=bool(counted.latency),
            shortest=self.interval,
            lag=self.lag,
        )

    def _counted(self) -> frozenset[str]:
        counted = self.selectors()
        names = {"requests": counted.requests, "error_rate": counted.errors}
        return frozenset(name for name, selectors in names.items() if selectors)

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fine = False
        if not fine or not self.url.isprintable() or " " in self.url:
            raise ValueError(f"url = {web.public(self.url)}: expected http://HOST:PORT or https://HOST")
        if "@" in parts.netloc:
            raise ValueError(
                f"url = {web.public(self.url)}: it holds a password; expected user and password as options of"
                " their own, the password as a secret"
            )
        if parts.query or parts.fragment:
            raise ValueError(f"url = {web.public(self.url)}: expected the address alone, without ? and #")

    def _check_credentials(self) -> None:
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password go together: one of them is missing")
        if self.user and self.token is not None:
            raise ValueError("token and user: expected one or the other")
        if self.key and not self.certificate:
            raise ValueError("key: expected the certificate that it belongs to, too")

    def _check_selectors(self) -> None:
        own = {"requests": self.requests, "errors": self.errors, "latency": self.latency}
        given = [name for name, text in own.items() if text]
        if self.preset and given:
            raise ValueError(f"preset and {given[0]}: expected the preset or selectors of your own, not both")
        if self.labels and not self.preset:
            raise ValueError("labels come to those of a preset: write yours into the selectors")
        if wrong := [name for name in self.labels if not re.fullmatch(r"[A-Za-z_]\w*", name)]:
            raise ValueError(f"labels = {wrong[0]}: expected the name of a label")
        if given and not self.requests:
            raise ValueError(f"{given[0]} without requests: expected the counter of all requests, too")
        if not (self.preset or given or self.queries):
            raise ValueError("nothing is asked: expected a preset, or requests and errors, or queries")
        try:
            selectors = self.selectors()
        except ValueError as wrong_one:
            raise ValueError(f"preset {self.preset}: {wrong_one}") from None
        for name in own:
            for text in getattr(selectors, name):
                try:
                    used(text)
                    selector(text)
                except ValueError as wrong_one:
                    raise ValueError(f"{name}: {wrong_one}") from None


_NOTHING = dict.fromkeys(("app", "environment", "slot", "version", "window"), "")
