"""A plan that was kept in a file: what it was made from, and whether that still holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from uno_core.errors import ConfigError, StalePlan
from uno_core.model import Application, Json, Release, Slot, Snapshot

REMEDY = "look at a new plan: `uno plan --out FILE`"


def basis(
    *,
    application: Application,
    release: Release,
    strategy: str,
    options: Mapping[str, Json],
    beside: Mapping[str, Json],
    plugins: Mapping[str, str],
) -> Mapping[str, Json]:
    """Everything that a plan is made from but the world, as JSON."""
    made: Mapping[str, Json] = {
        "application": application.name,
        "environment": application.environment,
        "release": {"version": release.version, "artifact": release.artifact, "config": release.config},
        "strategy": strategy,
        "options": options,
        "beside": beside,
        "plugins": plugins,
    }
    # As it will be read again: tuples are lists, and keys are text.
    plain: Mapping[str, Json] = json.loads(json.dumps(made, default=str))
    return plain


def seen(snapshot: Snapshot) -> Mapping[str, Json]:
    """What a plan takes from the world: split, counts and releases, but no instance by its name."""
    return {
        "split": {slot.value: snapshot.split.get(slot, 0.0) for slot in Slot} if snapshot.split else {},
        "wanted": {
            slot.value: {release.id: n for release, n in snapshot.slot(slot).wanted.items() if n}
            for slot in Slot
        },
        "live": [release.id for release in snapshot.releases],
        "size": snapshot.size,
    }


def fingerprint(made_from: Mapping[str, Json]) -> str:
    """Tells two plans apart by what they were made from."""
    text = json.dumps(made_from, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@frozen(kw_only=True)
class Agreed:
    """What a plan in a file was made from. It is to be deployed as it is, or not at all."""

    path: Path
    made_from: Mapping[str, Any]

    @property
    def version(self) -> str:
        return str(self.made_from["release"]["version"])

    def check_asked(self, now: Mapping[str, Json]) -> None:
        """Raises StalePlan where what is asked for is not what was planned.

        Raises ConfigError where it was planned for another application: then the file is the mistake.
        """
        for part in ("application", "environment"):
            if self.made_from[part] != now[part]:
                raise ConfigError(
                    f"the plan is for another {part}",
                    found=str(self.made_from[part]),
                    expected=str(now[part]),
                    where=str(self.path),
                    remedy="name the plan of this one, or `uno plan --out FILE` makes it",
                )
        self._compare({key: value for key, value in self.made_from.items() if key != "world"}, now)

    def check_world(self, snapshot: Snapshot) -> None:
        """Raises StalePlan where the world is not the one that the plan began from."""
        self._compare(self.made_from["world"], seen(snapshot))

    def _compare(self, then: Mapping[str, Json], now: Mapping[str, Json]) -> None:
        old, new = dict(_flat(then)), dict(_flat(now))
        differ = [
            f"{path}: {old.get(path, 'nothing')} then, {new.get(path, 'nothing')} now"
            for path in dict.fromkeys([*old, *new])
            if old.get(path) != new.get(path)
        ]
        if differ:
            raise StalePlan(
                "the plan does not hold any more: nothing was touched",
                found="; ".join(differ),
                expected="everything as it was when the plan was made",
                where=str(self.path),
                remedy=f"ask for what was planned, or {REMEDY}",
            )


def _flat(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf with the way to it, as text."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)


def read(path: Path) -> Agreed:
    """A plan that `uno plan --out` wrote. Raises ConfigError where the file is none."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as problem:
        raise _no_plan(f"{path}:{problem.lineno}", f"no JSON: {problem.msg}") from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise _no_plan(str(path), str(problem)) from problem
    made_from = document.get("made_from") if isinstance(document, Mapping) else None
    if not isinstance(made_from, Mapping) or "fingerprint" not in document:
        raise _no_plan(str(path), "a document without made_from and fingerprint")
    if document.get("schema_version") != 1:
        raise _no_plan(str(path), f"schema_version {document.get('schema_version')}")
    if document["fingerprint"] != fingerprint(made_from):
        raise _no_plan(str(path), "a plan that was changed after it was written")
    return Agreed(path=path, made_from=made_from)


def _no_plan(where: str, found: str) -> ConfigError:
    return ConfigError(
        "this is no plan that can be deployed",
        found=found,
        expected="a file as `uno plan --out` writes it",
        where=where,
        remedy=REMEDY,
    )
