"""One authority for everything in the test cluster, and certificates signed by it, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """Signs for whom it is asked; the files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.certificate = folder / "ca.crt"
        self._made: dict[str, tuple[Path, Path]] = {}
        _openssl(
            "req", "-x509", *_KEY, "-subj", "/CN=uno-test-authority", "-days", "3650",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout", str(folder / "ca.key"), "-out", str(self.certificate),
        )  # fmt: skip

    def issue(self, user: str, *, groups: tuple[str, ...] = (), names: tuple[str, ...] = ()):
        """The certificate and the key of a user in groups, or of a server at addresses and names."""
        file = "".join(c if c.isalnum() else "-" for c in "-".join([user, *groups]))
        if file not in self._made:
            cert, key = self.folder / f"{file}.crt", self.folder / f"{file}.key"
            subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
            more = ["-addext", "extendedKeyUsage=clientAuth,serverAuth"]
            if names:
                kinds = (f"{'IP' if name[-1].isdigit() else 'DNS'}:{name}" for name in names)
                more += ["-addext", f"subjectAltName={','.join(kinds)}"]
            _openssl(
                "req", "-x509", *_KEY, "-subj", subject, "-days", "3650",
                "-addext", "basicConstraints=critical,CA:FALSE", *more,
                "-CA", str(self.certificate), "-CAkey", str(self.folder / "ca.key"),
                "-keyout", str(key), "-out", str(cert),
            )  # fmt: skip
            self._made[file] = cert, key
        return self._made[file]


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
