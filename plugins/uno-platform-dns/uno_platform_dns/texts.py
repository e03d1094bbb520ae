"""TXT records that hold JSON: what uno notes beside the routing, where every machine sees it.

A character-string of a TXT record has at most 255 octets (RFC 1035, 3.3), so a long text is several of them.
"""

from __future__ import annotations

import json
import re

from uno_core import Json

LONGEST = 255
"""Octets of one string."""

MOST = 4000
"""Characters of a TXT record that Route 53 takes; the others take more."""

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def quoted(value: Json) -> str:
    """JSON as the value of a TXT record in a zone file. Raises ValueError where it does not fit."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    parts = [text[at : at + LONGEST] for at in range(0, len(text), LONGEST)]
    made = " ".join('"' + re.sub(r'(["\\])', r"\\\1", part) + '"' for part in parts)
    if len(made) > MOST:
        raise ValueError(f"{len(made)} characters are more than the {MOST} of a TXT record")
    return made


def unquoted(value: str) -> Json:
    """What `quoted` made. Raises ValueError for anything else."""
    text = "".join(re.sub(r"\\(.)", r"\1", found) for found in _STRING.findall(value))
    made: Json = json.loads(text)
    return made
