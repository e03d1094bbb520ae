"""Kubernetes' quantities as numbers: `250m`, `1Gi`, `2`."""

from __future__ import annotations

_FACTORS = {
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)},
    **{letter: 1000.0**power for power, letter in enumerate("kMGTPE", start=1)},
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
}


def amount(text: str | float) -> float:
    text = str(text)
    for ending, factor in _FACTORS.items():
        if text.endswith(ending):
            return float(text.removesuffix(ending)) * factor
    return float(text)
