"""An instance as the agent has it on disk: what was decided survives the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from uno_core import PlatformError, Release, Slot
from uno_platform_local.files import read_json, write_json
from uno_platform_local.layout import Layout
from uno_platform_local.wish import release_from_json, release_to_json


@frozen(kw_only=True)
class Record:
    """One instance. `draining` is wall time since when it takes no new requests, or None."""

    id: str
    slot: Slot
    release: Release
    port: int
    argv: tuple[str, ...]
    env: Mapping[str, str]
    directory: str
    readiness: str | None
    grace: float
    draining: float | None = None


def write_record(layout: Layout, record: Record) -> None:
    value = {
        "id": record.id,
        "slot": record.slot.value,
        "release": release_to_json(record.release),
        "port": record.port,
        "argv": list(record.argv),
        "env": dict(record.env),
        "directory": record.directory,
        "readiness": record.readiness,
        "grace": record.grace,
        "draining": record.draining,
    }
    write_json(layout.instances / f"{record.id}.json", value, durable=False)


def read_records(layout: Layout) -> list[Record]:
    """All records; one that is no JSON (a full disk, say) is removed: its instance is started anew."""
    result = []
    for path in sorted(layout.instances.glob("*.json")):
        try:
            value: Any = read_json(path)
            result.append(
                Record(
                    **{
                        **value,
                        "slot": Slot(value["slot"]),
                        "release": release_from_json(value["release"]),
                        "argv": tuple(value["argv"]),
                    }
                )
            )
        except (PlatformError, ValueError, KeyError, TypeError):
            path.unlink(missing_ok=True)
    return result
