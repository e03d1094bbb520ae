"""What is around in a folder: releases, files that say how the application starts, a kubeconfig."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from uno_core.beginning.starts import Start, starts, text_of
from uno_core.contracts.beginning import Clue, Surroundings

RELEASES = "releases"
_HEALTH = re.compile(r"""["'`](/(?:api/)?(?:healthz?|livez|readyz|_health)/?)["'`]""")
_SOURCES = frozenset({".py", ".js", ".ts", ".mjs", ".go", ".rb", ".rs", ".java", ".kt", ".php", ".cs", ".ex"})
_NOT_OURS = frozenset({"node_modules", "venv", "vendor", "target", "dist", "build", "__pycache__", "tests"})
MOST_SOURCES = 300


def look(folder: Path, environ: Mapping[str, str] | None = None) -> Surroundings:
    """What can be seen from a folder; reads only. Of several answers the first counts:
    those of the folder itself before those of its newest release.
    """
    folder = folder.absolute()
    newest = _newest(folder / RELEASES)
    places = [(folder, "")] + ([(newest, f"{RELEASES}/{newest.name}/")] if newest else [])
    seen = [start for place, told in places for start in starts(place, told)]
    health, clues = "", [Clue(kind=one.kind, where=one.where, found=one.found) for one in seen]
    if newest:
        clues.append(
            Clue(kind="releases", where=f"{RELEASES}/", found=f"a folder each, such as {newest.name}")
        )
    health = next((one.health for one in seen if one.health), "")
    if not health:
        health, where = _health(places)
        if health:
            clues.append(Clue(kind="source", where=where, found=f"the path {health}"))
    cluster, where = _cluster(os.environ if environ is None else environ)
    if cluster:
        told = ", ".join(f"{key} {value}" for key, value in cluster.items())
        clues.append(Clue(kind="kubeconfig", where=where, found=told))
    return Surroundings(
        folder=folder,
        application=_name(folder, seen),
        command=next((one.command for one in seen if one.command), ()),
        image=next((one.image for one in seen if one.image), ""),
        port=next((one.port for one in seen if one.port), None),
        health=health,
        releases=RELEASES if newest else "",
        cluster=cluster,
        clues=clues,
    )


def named(text: str) -> str:
    """A text as the name of an application: letters, digits, dots and dashes; empty where none is left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:63].strip("._-")


def _name(folder: Path, seen: Sequence[Start]) -> str:
    return next((made for text in (*(one.name for one in seen), folder.name) if (made := named(text))), "app")


def _newest(folder: Path) -> Path | None:
    try:
        return max((one for one in folder.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
    except (OSError, ValueError):  # there is no such folder, or nothing in it
        return None


def _health(places: Sequence[tuple[Path, str]]) -> tuple[str, str]:
    """The path of a health check that stands in the sources, and where."""
    for place, told in places:
        for path in _sources(place):
            try:
                lines = text_of(path).splitlines()
            except (OSError, ValueError):
                continue
            for number, line in enumerate(lines, 1):
                if found := _HEALTH.search(line):
                    return found[1], f"{told}{path.relative_to(place)}:{number}"
    return "", ""


def _sources(place: Path) -> Iterator[Path]:
    """The nearest files of source code; not those of other people."""
    left = MOST_SOURCES
    for folder, inner, names in os.walk(place):
        depth = len(Path(folder).relative_to(place).parts)
        inner[:] = sorted(n for n in inner if n not in _NOT_OURS and n[0] != "." and depth < 3)
        if not depth and RELEASES in inner:
            inner.remove(RELEASES)
        for name in sorted(names):
            if Path(name).suffix in _SOURCES and left > 0:
                left -= 1
                yield Path(folder, name)


def _cluster(environ: Mapping[str, str]) -> tuple[Mapping[str, str], str]:
    """The present context of a kubeconfig and its namespace; nothing where there is none."""
    named_by = environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    path = Path(named_by) if named_by else Path(environ.get("HOME", "")) / ".kube" / "config"
    try:
        made = yaml.safe_load(text_of(path))
        context = str(made["current-context"])
        contexts = {one["name"]: one.get("context") or {} for one in made.get("contexts") or ()}
        namespace = str(contexts.get(context, {}).get("namespace") or "default")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError, RecursionError):
        return {}, ""
    return ({"context": context, "namespace": namespace}, str(path)) if context else ({}, "")
