"""What it takes to start a release again later, with the configuration that it had."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from uno_core import ConfigError, PlatformError, Release, Slot
from uno_platform_local.files import read_json, write_if_changed
from uno_platform_local.layout import Layout
from uno_platform_local.options import LocalOptions
from uno_platform_local.wish import release_from_json, release_to_json

_INHERITED = ("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")


@frozen(kw_only=True)
class Specification:
    """A release with everything that its start needs. Kept readable for this user only: it holds secrets."""

    release: Release
    command: tuple[str, ...]
    env: Mapping[str, str]
    directory: str
    readiness: str | None
    grace: float

    def fill(self, text: str, slot: Slot, port: int) -> str:
        values = {"port": str(port), "version": self.release.version, "slot": slot.value}
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        return text


def base_environment() -> dict[str, str]:
    """What every process below the supervisor inherits: never the variables of whoever deploys.

    A release started again after a reboot must find the same as at first, so only what says where
    and who is passed on, and PATH.
    """
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {"PATH": os.environ.get("PATH", os.defpath), **kept}


def specify(options: LocalOptions, release: Release) -> Specification:
    """The specification of a version under the present options; reads, writes nothing.

    Raises ConfigError where the artifact, the directory, the environment file or the program is
    not there: found before anything is touched.
    """
    root = Layout.of(options.root).root
    artifact = _artifact(options, root, release.version)
    directory = _directory(options, root, artifact, release.version)
    from_file = _env_file(options, root)
    if not options.command:
        raise ConfigError(
            "there is no command to start", where="platform.command", expected="an argument list"
        )
    program = options.command[0].replace("{version}", release.version)
    found = shutil.which(str(directory / program) if "/" in program else program)
    if found is None:
        raise ConfigError(
            f"command not found: {program}",
            where="platform.command",
            expected=f"an executable file, from {directory}" if "/" in program else "a program on PATH",
            remedy="build the release first, or mend the command",
        )
    config = _hash(options, from_file)
    own = {"PATH": os.environ.get("PATH", os.defpath), **from_file, **options.env}
    return Specification(
        release=Release(release.version, f"dir:{artifact}" if artifact else "command", config),
        command=(found, *options.command[1:]),
        env=own,
        directory=str(directory),
        readiness=options.readiness,
        grace=options.grace,
    )


def _artifact(options: LocalOptions, root: Path, version: str) -> Path | None:
    if options.artifact is None:
        return None
    path = (root / options.artifact.replace("{version}", version)).resolve()
    if not path.is_dir():
        raise ConfigError(
            f"the artifact of version {version} does not exist",
            found=f"no directory {path}",
            expected=f"a directory as platform.artifact says: {options.artifact}",
            where="platform.artifact",
            remedy="unpack the release there before deploying it, or name another version",
        )
    return path


def _directory(options: LocalOptions, root: Path, artifact: Path | None, version: str) -> Path:
    if options.working_directory is None:
        return artifact or root
    path = (root / options.working_directory.replace("{version}", version)).resolve()
    if not path.is_dir():
        raise ConfigError(
            "the working directory does not exist", found=str(path), where="platform.working_directory"
        )
    return path


def _env_file(options: LocalOptions, root: Path) -> dict[str, str]:
    if options.env_file is None:
        return {}
    path = root / options.env_file
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "the environment file cannot be read", found=str(error), where=f"platform.env_file: {path}"
        ) from error
    result = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ConfigError(
                "a line of the environment file sets nothing",
                expected="NAME=value, a comment or an empty line",
                where=f"{path}:{number}",
            )
        value = value.strip()
        quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
        result[name.strip()] = value[1:-1] if quoted else value
    return result


def _hash(options: LocalOptions, from_file: Mapping[str, str]) -> str:
    parts: Any = [
        list(options.command),
        dict(options.env),
        dict(from_file),
        options.env_file,
        options.working_directory,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def keep(layout: Layout, specification: Specification, release: Release) -> None:
    """Write a specification down under the release that it was asked for as."""
    value = asdict(evolve(specification, release=release), recurse=False)
    value["release"] = release_to_json(release)
    value["command"] = list(specification.command)
    value["env"] = dict(specification.env)
    write_if_changed(_path(layout, release), value)


def kept(layout: Layout, release: Release) -> Specification:
    """The specification of an earlier release. Raises PlatformError: it cannot be started again."""
    value = read_json(_path(layout, release))
    if value is None:
        raise PlatformError(
            f"nothing is known here of release {release.id}: it cannot be started",
            expected=f"its specification from an earlier deployment, {_path(layout, release)}",
            remedy=f"deploy version {release.version} anew",
        )
    return Specification(
        release=release_from_json(value["release"]),
        command=tuple(value["command"]),
        env=value["env"],
        directory=value["directory"],
        readiness=value["readiness"],
        grace=value["grace"],
    )


def _path(layout: Layout, release: Release) -> Path:
    return layout.releases / f"{release.id}.json"
