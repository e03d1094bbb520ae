"""Secrets: looked up when they are used, hidden from the log from then on, kept nowhere."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from uno_core import _log
from uno_core.errors import ConfigError
from uno_core.model import Secret


class SystemSecrets:
    """Secrets from environment variables (`${NAME}`) and files (`file:PATH`)."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = environ

    def reveal(self, secret: Secret) -> str:
        """The text. Raises ConfigError where the variable or file does not exist or is empty."""
        reference = secret.reference
        if found := re.fullmatch(r"\$\{(\w+)\}", reference):
            text = self._variable(found[1])
        elif reference.startswith("file:"):
            text = self._file(Path(reference.removeprefix("file:")))
        else:
            # The reference is not told: somebody may have put the secret itself there.
            raise ConfigError(
                "this is no reference to a secret",
                expected="${ENV_VAR} or file:PATH",
                remedy="name one of them",
            )
        _log.redact(text)
        return text

    def _variable(self, name: str) -> str:
        environ = os.environ if self._environ is None else self._environ
        if text := environ.get(name, ""):
            return text
        raise ConfigError(
            f"the secret ${{{name}}} is not there",
            found=f"{name} is {'empty' if name in environ else 'not set'}",
            expected=f"the environment variable {name}",
            remedy=f"export {name}, or refer to a file: {{file: path}}",
        )

    def _file(self, path: Path) -> str:
        try:
            text = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigError(
                f"the secret in {path} cannot be read",
                found=reason,
                where=str(path),
                remedy="write it there, readable for the user that runs uno",
            ) from None
        if text:
            return text
        raise ConfigError(f"the secret in {path} is empty", where=str(path), remedy="write the secret there")
