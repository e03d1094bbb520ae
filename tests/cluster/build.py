"""Where the programs of the control plane are: built once from Go modules, or given by the environment.

`UNO_TEST_CONTROL_PLANE` is the folder to build into, instead of the user's cache; `KUBEBUILDER_ASSETS` is a
folder that has them already: etcd, kube-apiserver, kube-controller-manager, and `crds/*.yaml`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from platformdirs import user_cache_path

SOURCE = Path(__file__).parent / "control_plane"
PROGRAMS = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
CRDS = {
    "sigs.k8s.io/gateway-api": [
        f"config/crd/standard/gateway.networking.k8s.io_{kind}.yaml"
        for kind in ("gatewayclasses", "gateways", "httproutes")
    ],
    "istio.io/api": ["kubernetes/customresourcedefinitions.gen.yaml"],
}


class Unavailable(Exception):
    """There is no control plane on this machine and none can be built: cluster tests are skipped."""


def version() -> str:
    """The version of Kubernetes that go.mod pins, such as v1.37.2."""
    lines = (SOURCE / "go.mod").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.split()[:1] == ["k8s.io/kubernetes"])


def place() -> Path:
    """The folder that is built into: another one for each pinned set."""
    given = os.environ.get("UNO_TEST_CONTROL_PLANE")
    if given:
        return Path(given)
    pinned = b"".join((SOURCE / name).read_bytes() for name in ("go.mod", "go.sum"))
    name = f"kubernetes-{version()}-{hashlib.sha256(pinned).hexdigest()[:8]}"
    return user_cache_path("uno-tests") / name


def assets() -> Path:
    """A folder with every program and CRD, built first where it has to be. Raises Unavailable."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        lacking = [name for name in PROGRAMS if not (Path(given) / name).exists()]
        if lacking or not list(Path(given).glob("crds/*.yaml")):
            raise Unavailable(f"KUBEBUILDER_ASSETS lacks {', '.join(lacking) or 'crds/*.yaml'}: {given}")
        return Path(given)
    target = place()
    if (target / "complete").exists():
        return target
    if shutil.which("go") is None:
        raise Unavailable("no test cluster: Go is not installed, and KUBEBUILDER_ASSETS is not set")
    target.mkdir(parents=True, exist_ok=True)
    with (target / "lock").open("w") as lock:
        # Two workers of one test run ask for it at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "complete").exists():
            build(target)
            (target / "complete").touch()
    return target


def go(*arguments: str) -> str:
    environ = {**os.environ, "GOWORK": "off"}
    done = subprocess.run(
        ["go", *arguments], cwd=SOURCE, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(f"no test cluster: go {arguments[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def build(target: Path) -> None:
    """Minutes the first time: Kubernetes is large."""
    major, minor, _ = version().removeprefix("v").split(".")
    # Unstamped it calls itself v0.0.0-master.
    stamps = {"gitVersion": version(), "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items())
    for name, package in PROGRAMS.items():
        go("build", "-trimpath", "-ldflags", f"-s -w {flags}", "-o", str(target / name), package)
    folder = target / "crds"
    folder.mkdir(exist_ok=True)
    for module, paths in CRDS.items():
        where = Path(json.loads(go("mod", "download", "-json", f"{module}@{pinned_at(module)}"))["Dir"])
        for path in paths:
            shutil.copyfile(where / path, folder / f"{module.split('/')[0]}-{Path(path).name}")


def pinned_at(module: str) -> str:
    return go("list", "-m", "-f", "{{.Version}}", module).strip()


if __name__ == "__main__":
    # So that a run of the tests need not wait for it in the middle.
    print(assets())
