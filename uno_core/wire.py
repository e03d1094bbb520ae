"""Values to JSON and back: one converter, for the journal, the reports and the ports between processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, get_args, get_origin

import cattrs
from cattrs.gen import make_dict_unstructure_fn

from uno_core.model import Json, Release

T = TypeVar("T")

_converter = cattrs.Converter(forbid_extra_keys=False)


def _is_counts(kind: Any) -> bool:
    return get_origin(kind) in (Mapping, dict) and get_args(kind)[:1] == (Release,)


def _is_json(kind: Any) -> bool:
    # Json names itself within itself, so its inner form is another object than the outer one.
    return {bool, int, float, str, type(None)} <= set(get_args(kind))


def counts_to_json(counts: Mapping[Release, int]) -> Json:
    """Counts as a list, since a release is no JSON key; sorted, so that fingerprints agree."""
    ordered = sorted(counts, key=lambda r: (r.version, r.artifact, r.config))
    return [{**_release(release), "count": counts[release]} for release in ordered]


def _release(release: Release) -> Mapping[str, Json]:
    return {"version": release.version, "artifact": release.artifact, "config": release.config}


def counts_from_json(value: Any) -> Mapping[Release, int]:
    return {Release(row["version"], row["artifact"], row["config"]): int(row["count"]) for row in value}


_converter.register_unstructure_hook(datetime, lambda value: value.isoformat())
_converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
_converter.register_unstructure_hook_func(_is_counts, counts_to_json)
_converter.register_structure_hook_func(_is_counts, lambda value, _: counts_from_json(value))
_converter.register_unstructure_hook_func(_is_json, lambda value: value)
_converter.register_structure_hook_func(_is_json, lambda value, _: value)
_converter.register_unstructure_hook(
    Release, make_dict_unstructure_fn(Release, _converter, _cattrs_omit_if_default=True)
)


def to_json(value: Any, kind: Any = None) -> Any:
    """A value of the model as JSON. `kind` where the value's own class does not say it."""
    return _converter.unstructure(value, unstructure_as=kind)


def from_json(value: Any, kind: type[T]) -> T:
    """JSON as a value of the model. Raises cattrs' errors where it is not one."""
    return _converter.structure(value, kind)


def fingerprint(op: str, arguments: Mapping[str, Json]) -> str:
    """Tells two calls apart: the operation and its arguments, not their order of keys."""
    text = json.dumps([op, arguments], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


__all__ = ["counts_from_json", "counts_to_json", "fingerprint", "from_json", "to_json"]
