"""How things lie in ConfigMaps: what each is called, and what is in it.

`uno.index` decides who begins; `uno-<id>` is a deployment with its words, `uno-<id>.journal-<k>` its lines,
`uno-<id>.checkpoint` what was seen last. Labels say which application each belongs to.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from uno_core import StateError, Thing, ThingName
from uno_platform_kubernetes.objects import APPLICATION, annotations_of

Object = Mapping[str, Any]

KIND = "uno.dev/kind"
"""Label: index, deployment, journal, checkpoint or lock."""

CALLED = "uno.dev/called"
"""Label of a deployment for which there is a word that is not answered."""

OF = "uno.dev/of"
"""Annotation: what the name of a ConfigMap stands for, the id of a deployment."""

LINES = "lines"
"""Each of them has a text of its own, so that only what is added goes over the wire."""

PLAIN = 16 * 1024
"""Bytes; longer texts are compressed, shorter ones can be read with kubectl."""

LARGEST = 1000 * 1024
"""Bytes that a ConfigMap takes, less what surrounds them."""


def slug(key: str) -> str:
    """A name that Kubernetes takes, in labels too: the key where it can be, else its like and a hash."""
    if len(key) <= 50 and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", key):
        return key
    like = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:39]
    return f"{like}-{hashlib.sha256(key.encode()).hexdigest()[:10]}".lstrip("-")


def config_map_name(name: ThingName) -> str:
    if name.kind == "index":
        return "uno.index"
    number = name.of.rpartition("-")[2]
    counted = name.key and number.isdigit()
    of = f"uno-{slug(name.key)}-{number}" if counted else f"uno-{slug(name.of)}"
    part = f"-{name.part}" if name.part else ""
    return of if name.kind == "deployment" else f"{of}.{name.kind}{part}"


def config_map(name: ThingName, data: Mapping[str, Any]) -> Object:
    """What is made where there is none. Raises StateError where it is too much."""
    labels = {KIND: name.kind, **({APPLICATION: slug(name.key)} if name.key else {}), **_called(data)}
    metadata = {"name": config_map_name(name), "labels": labels, "annotations": {OF: name.of}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": _texts(name, data)}


def change(name: ThingName, data: Mapping[str, Any], over: Thing) -> Object:
    """What makes it this where it is that; what stays is left out. Raises StateError where it is too much."""
    before, after = _texts(name, over.data), _texts(name, data)
    changed: dict[str, str | None] = {key: text for key, text in after.items() if before.get(key) != text}
    changed |= dict.fromkeys(before.keys() - after.keys())
    return {"metadata": {"labels": {CALLED: None, **_called(data)}}, "data": changed}


def data_of(found: Object) -> Mapping[str, Any]:
    """What was put there."""
    texts: Mapping[str, str] = found.get("data") or {}
    lines = [unpacked(texts[key]) for key in sorted(texts) if key.startswith(f"{LINES}.")]
    plain = {key: unpacked(text) for key, text in texts.items() if not key.startswith(f"{LINES}.")}
    return {**plain, LINES: lines} if LINES in plain else plain


def of(found: Object) -> ThingName:
    """What a deployment's ConfigMap is called on a shelf."""
    return ThingName("deployment", annotations_of(found).get(OF, ""))


def _called(data: Mapping[str, Any]) -> Mapping[str, str]:
    return {CALLED: "true"} if data.get("called") else {}


def _texts(name: ThingName, data: Mapping[str, Any]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, value in data.items():
        if key == LINES:  # as many as there are, and each by itself
            texts |= {f"{key}.{number:05}": packed(line) for number, line in enumerate(value, 1)}
        texts[key] = packed(len(value) if key == LINES else value)
    much = sum(map(len, texts.values()))
    if much > LARGEST:
        raise StateError(
            "this is too much to be kept in one ConfigMap", found=f"{much} bytes, compressed",
            expected=f"{LARGEST} at the most", where=config_map_name(name),
            remedy="keep the state elsewhere: state: postgresql://…",
        )  # fmt: skip
    return texts


def packed(value: Any) -> str:
    """JSON, compressed where it is long."""
    text = json.dumps(value)
    if len(text) > PLAIN:
        text = "gz:" + base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()
    return text


def unpacked(text: str) -> Any:
    if text.startswith("gz:"):
        text = gzip.decompress(base64.b64decode(text[3:])).decode()
    return json.loads(text)
