"""What uno keeps in tags: values of 256 characters at the most, of few kinds.

Source: the tagging rules of Elastic Load Balancing (letters, digits, spaces and + - = . _ : / @).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

MOST = 250
"""Characters in one value."""

PREFIX = "uno.dev/"
ROUTED = f"{PREFIX}routed"
"""Of the rule: `no` while nothing was routed on purpose yet, `yes` from then on."""

MARK = f"{PREFIX}mark"
"""Of the rule: what is under way, in as many tags as it takes."""

LEAST = f"{PREFIX}least"
"""Of a service: the least capacity that its scalable target had before uno raised or lowered it."""

VERSION = f"{PREFIX}version"
"""Of a task definition: the version that it was registered for."""


def packed(value: Any) -> dict[str, str]:
    """Any JSON as tags. The first one says how many there are."""
    text = base64.b64encode(zlib.compress(json.dumps(value).encode(), 9)).decode()
    parts = [text[at : at + MOST] for at in range(0, len(text), MOST)]
    return {MARK: str(len(parts)), **{f"{MARK}.{n}": part for n, part in enumerate(parts)}}


def unpacked(tags: Mapping[str, str]) -> Any:
    """The JSON again; None where there is none. Raises ValueError where it is not whole."""
    if MARK not in tags:
        return None
    try:
        text = "".join(tags[f"{MARK}.{n}"] for n in range(int(tags[MARK])))
        return json.loads(zlib.decompress(base64.b64decode(text)))
    except (KeyError, zlib.error) as problem:
        raise ValueError(f"the tags {MARK}… are not whole") from problem


def of(rows: Any) -> dict[str, str]:
    """Tags as they are described, by their keys; ECS writes them small."""
    return {
        str(row.get("Key", row.get("key"))): str(row.get("Value", row.get("value"))) for row in rows or ()
    }
