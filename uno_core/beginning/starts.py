"""How an application is started and reached, by the files that say so for other tools.

Whatever such a file holds, it is read as data; one that cannot be read is a clue that says so.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen

LARGEST = 1_000_000
"""Bytes of a file that is read."""

_PORT = re.compile(r"\$(?:PORT\b|\{PORT(?::?-[^}]*)?\})")
_PATH = re.compile(r"https?://[^/\s\"']+(/[^\s\"'|);,\]]*)")


@frozen(kw_only=True)
class Start:
    """What one file says. Empty means that it does not say it. name: the application's."""

    kind: str
    where: str
    found: str
    name: str = ""
    command: Sequence[str] = ()
    image: str = ""
    port: int | None = None
    health: str = ""


def arguments(text: str) -> Sequence[str]:
    """A command as it is written for a shell, as an argument list; `$PORT` becomes `{port}`."""
    plain = _PORT.sub("{port}", text.strip())
    try:
        words = shlex.split(plain)
    except ValueError:
        words = []
    # What only a shell understands is left to one; it finds the port in PORT.
    if not words or re.search(r"[|&;<>()$`*?~\n]", plain) or "=" in words[0]:
        return ("sh", "-c", text.strip())
    return tuple(words)


def starts(folder: Path, told: str) -> Iterator[Start]:
    """What the files of a folder say, those that speak of a start first. told: the folder, for a person."""
    readers: Mapping[str, Callable[[str, str], Start | None]] = {
        "Procfile": _procfile,
        "package.json": _package,
        "pyproject.toml": _pyproject,
        "Dockerfile": _dockerfile,
        **dict.fromkeys(
            ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"), _compose
        ),
    }
    for name, read in readers.items():
        path, where = folder / name, f"{told}{name}"
        try:
            if not path.is_file():
                continue
            found = read(text_of(path), where)
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as problem:
            reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            yield Start(kind="unreadable", where=where, found=f"cannot be read: {reason}")
            continue
        if found is not None:
            yield found


def text_of(path: Path) -> str:
    """Raises OSError, and ValueError where it is no text or too large to be written by hand."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes")
    return path.read_text(encoding="utf-8")


def _procfile(text: str, where: str) -> Start | None:
    processes = dict(re.findall(r"^([\w-]+):[ \t]*(\S.*)$", text, re.MULTILINE))
    written = processes.get("web") or next(iter(processes.values()), "")
    if not written:
        return None
    return Start(kind="procfile", where=where, found=written, command=arguments(written))


def _package(text: str, where: str) -> Start | None:
    made = _mapping(json.loads(text))
    script = _text(_mapping(made.get("scripts")).get("start"))
    command: Sequence[str] = ()
    if script:
        # Anything but node itself may lie in node_modules, where npm finds it.
        command = arguments(script) if script.startswith("node ") else ("npm", "start")
    name = _text(made.get("name")).rpartition("/")[2]
    found = f"start: {script}" if script else f"name: {name}"
    return Start(kind="package.json", where=where, found=found, name=name, command=command)


def _pyproject(text: str, where: str) -> Start | None:
    made = tomllib.loads(text)
    poetry = _mapping(_mapping(made.get("tool")).get("poetry"))
    project = _mapping(made.get("project")) or poetry
    scripts = list(_mapping(project.get("scripts")))
    name = _text(project.get("name"))
    if not name and not scripts:
        return None
    # One of several would be a guess.
    command = tuple(scripts) if len(scripts) == 1 else ()
    found = f"script: {scripts[0]}" if command else f"name: {name}"
    return Start(kind="pyproject", where=where, found=found, name=name, command=command)


def _dockerfile(text: str, where: str) -> Start | None:
    lines = re.sub(r"\\\s*\n", " ", text).splitlines()
    said: dict[str, str] = {}
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        said[word.upper()] = rest.strip()
    port = re.match(r"(\d+)(?:/tcp)?\b", said.get("EXPOSE", ""))
    words = [*_docker_command(said.get("ENTRYPOINT", "")), *_docker_command(said.get("CMD", ""))]
    health = _PATH.search(said.get("HEALTHCHECK", ""))
    told = [f"{key} {said[key]}" for key in ("ENTRYPOINT", "CMD", "EXPOSE", "HEALTHCHECK") if key in said]
    return Start(
        kind="dockerfile",
        where=where,
        found=", ".join(told) or "says neither a port nor a command",
        command=words,
        port=int(port[1]) if port else None,
        health=health[1] if health else "",
    )


def _docker_command(text: str) -> Sequence[str]:
    if not text.startswith("["):
        return arguments(text) if text else ()
    words = json.loads(text)
    return tuple(_PORT.sub("{port}", str(word)) for word in words) if isinstance(words, list) else ()


def _compose(text: str, where: str) -> Start | None:
    made = _mapping(yaml.safe_load(text))
    services = {name: _mapping(one) for name, one in _mapping(made.get("services")).items()}
    chosen = next((name for name, one in services.items() if one.get("ports")), next(iter(services), ""))
    if not chosen:
        return None
    service = services[chosen]
    written = service.get("command")
    command: Sequence[str] = ()
    if isinstance(written, str):
        command = arguments(written)
    elif isinstance(written, list):
        command = tuple(str(word) for word in written)
    health = _PATH.search(str(_mapping(service.get("healthcheck")).get("test", "")))
    ports = service.get("ports")
    last = str(ports[0]).rpartition(":")[2].partition("/")[0] if isinstance(ports, list) and ports else ""
    return Start(
        kind="compose",
        where=where,
        found=f"service {chosen}" + (f", image {service['image']}" if service.get("image") else ""),
        name=_text(made.get("name")) or chosen,
        command=command,
        image=_text(service.get("image")),
        port=int(last) if last.isdigit() else None,
        health=health[1] if health else "",
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
