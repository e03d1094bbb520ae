"""The half that splits traffic: one route file, replaced in one step, that Envoy watches."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from uno_core import Drift, Json, PlatformError, RouterState, Services, Slot, Split
from uno_platform_local.daemon import admin_of
from uno_platform_local.files import locked, read_json, write_json
from uno_platform_local.layout import Layout
from uno_platform_local.options import LocalOptions
from uno_platform_local.proxy import FIRST_VERSION, Unreachable, routes, split_of


class LocalRouter:
    """Compares and writes under a lock; a version that is not the expected one is never overwritten."""

    def __init__(self, options: LocalOptions, services: Services) -> None:
        self.options = options
        self.services = services
        self.layout = Layout.of(options.root)

    def write(self, split: Split, expect: Json) -> None:
        traffic = self.options.traffic
        self.layout.make()
        with locked(self.layout.lock):
            found, version = self._read()
            if expect is not None and expect != version:
                raise Drift(
                    "somebody else changed the split",
                    found=f"{_words(found)} (version {version})",
                    expected=f"version {expect}",
                    where=str(self.layout.routes),
                    remedy="see who: `uno history`; then deploy again, or `uno rollback`",
                )
            number = int(version.partition("-")[0])
            new = f"{number + 1}-{secrets.token_hex(4)}"
            value = routes(split, new, timeout=traffic.timeout, slot_hosts=traffic.slot_hosts)
            write_json(self.layout.routes, value)

    def _read(self) -> tuple[Split, str]:
        value: Mapping[str, Any] | None = read_json(self.layout.routes)
        if value is None:
            return {}, FIRST_VERSION
        return split_of(value["resources"][0]), str(value["version_info"])

    def observe(self) -> RouterState:
        split, version = self._read()
        captured = {slot.value: percent for slot, percent in split.items()}
        return RouterState(split=split, token=version, captured=captured, mark=read_json(self.layout.mark))

    def mark(self, value: Json) -> None:
        """Beside the routes and not in them: Envoy is not woken, and no version moves."""
        self.layout.make()
        write_json(self.layout.mark, value)

    def in_force(self) -> Split:
        """What Envoy follows; empty where it does not run, since nothing is served then."""
        try:
            return admin_of(self.layout).split()
        except Unreachable as error:
            if error.__cause__ is None or isinstance(error.__cause__, ConnectionError):
                return {}
            raise

    def restore(self, captured: Json) -> None:
        if not isinstance(captured, dict):
            raise PlatformError("that was not captured by this platform", found=str(captured)[:200])
        try:
            split = {Slot(name): float(percent) for name, percent in captured.items()}
        except (ValueError, TypeError) as error:
            raise PlatformError("that was not captured by this platform", found=str(error)) from error
        self.write(split, None)


def _words(split: Split) -> str:
    return ", ".join(f"{slot} {percent:g} %" for slot, percent in split.items()) or "nothing is routed"
