"""Who uno is to a cluster: found as kubectl finds it, renewed in time, and once more when it is refused.

The official client reads kubeconfigs and keeps connections. What it leaves out is done here: exec plugins
whose failure is told and whose credentials end, impersonation, token files that are written anew, and the
current context of several files, which is that of the first one.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from attrs import field, frozen
from kubernetes import client, config
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from uno_core import Clock, ConfigError, Forbidden, Unanswered, UnoError, web
from uno_platform_kubernetes.options import KubernetesOptions

PATIENCE = 120.0
"""Seconds that a login may take: somebody may have to type a code on the way."""

EARLY = 60.0
"""Seconds before the end of credentials at which new ones are asked for; half of what lives for less."""

PAUSE = 10.0
"""Seconds after a login that was refused, or failed, until one is tried again: many ask at the same time."""

NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where a pod finds its own."""

BROKEN = (config.ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, AttributeError, KeyError)
"""What the client raises for a kubeconfig that is not one."""


@frozen(eq=False)
class Login:
    """One. impersonating: headers that name somebody else. until: its end, where that is known."""

    client: client.ApiClient
    impersonating: Sequence[tuple[str, str]] = ()
    until: datetime | None = None
    renew: datetime | None = None
    guard: threading.Lock = field(factory=threading.Lock)

    def headers(self) -> Iterator[tuple[str, str]]:
        """What says who we are."""
        with self.guard:  # the client may read a token file anew at this moment
            found = list(self.client.configuration.auth_settings().values())
        for one in found:
            if one["value"]:
                yield one["key"], str(one["value"]).strip()
        yield from self.impersonating


class Credentials:
    """Logs in at the first use, so that making it touches nothing."""

    def __init__(self, options: KubernetesOptions, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._guard = threading.Lock()
        self._login: Login | None = None
        self._tried = float("-inf")
        self._failed: UnoError | None = None

    def current(self) -> Login:
        """Raises ConfigError where kubeconfig or context are not there, Forbidden where nobody can log in."""
        with self._guard:
            login = self._login
            if login is None:
                return self._log_in()
            if login.renew is None or self._clock.now() < login.renew:
                return login
            try:
                return self._log_in()
            except UnoError:
                if login.until is not None and self._clock.now() < login.until:
                    return login  # it is good for a while yet
                raise

    def again(self, refused: Login) -> Login | None:
        """Another one, where the cluster does not know this one any more; None where that was just tried."""
        with self._guard:
            if self._login is not refused:
                return self._login  # somebody else who was refused was quicker
            if self._clock.monotonic() - self._tried < PAUSE:
                return None
            self._tried = self._clock.monotonic()
            self._failed = None
            return self._log_in()

    def close(self) -> None:
        """Close the connections of the login, where there was one."""
        login = self._login
        if login is not None:
            login.client.rest_client.pool_manager.clear()

    @property
    def namespace(self) -> str:
        """The one that the context names, or that this pod runs in; else `default`."""
        if _inside(self._options):
            return NAMESPACE.read_text("utf-8").strip() if NAMESPACE.exists() else "default"
        try:
            return str(Kubeconfig(self._options).context.get("namespace") or "default")
        except ConfigError:
            return "default"

    def _log_in(self) -> Login:
        if self._failed is not None and self._clock.monotonic() - self._tried < PAUSE:
            raise self._failed
        try:
            self._login = self._connect()
        except UnoError as problem:
            self._failed, self._tried = problem, self._clock.monotonic()
            raise
        self._failed = None
        return self._login

    def _connect(self) -> Login:
        configuration = client.Configuration()
        if _inside(self._options):
            try:
                config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            except BROKEN as problem:
                raise ConfigError(
                    "the service account of this pod cannot be used", found=str(problem),
                    expected="a token, and the certificate of the cluster",
                    remedy="see automountServiceAccountToken, or set platform.kubeconfig",
                ) from problem  # fmt: skip
            return Login(client.ApiClient(configuration))
        found = Kubeconfig(self._options)
        until = self._by_plugin(found)
        found.load(configuration)
        left = (until - self._clock.now()).total_seconds() if until else 0.0
        renew = until - timedelta(seconds=max(0.0, min(EARLY, left / 2))) if until else None
        return Login(client.ApiClient(configuration), list(_impersonating(found.user)), until, renew)

    def _by_plugin(self, found: Kubeconfig) -> datetime | None:
        """Have the exec plugin log in, where there is one, and what it gives be the user's; until when."""
        asked = found.plugin
        if asked is None:
            return None
        # Without its arguments: there are plugins that take a secret among them.
        where = f"the command {asked['command']}, of the context {found.name}"
        try:
            status = self._clock.within(PATIENCE, lambda: found.run(asked))
            found.user.update(_given(status))
            ends = status.get("expirationTimestamp")
            return datetime.fromisoformat(str(ends)) if ends else None
        except Unanswered:
            found_out = f"no answer within {PATIENCE:g} s"
        except BROKEN as problem:
            found_out = web.excerpt(str(problem).removeprefix("exec: "))
        raise Forbidden(
            "nobody could log in to the cluster", found=found_out, where=where,
            expected="a token or a certificate, as an ExecCredential",
            remedy="run the command by hand, and log in again",
        )  # fmt: skip


class Kubeconfig:
    """One context of one or several files, its cluster and its user. Raises ConfigError: it is not there."""

    def __init__(self, options: KubernetesOptions) -> None:
        chosen = options.kubeconfig or os.environ.get("KUBECONFIG") or ""
        self._files = chosen or config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION
        self._expected = f"a context {options.context}" if options.context else "a current context"
        try:
            self._merger: Any = KubeConfigMerger(self._files)  # type: ignore[no-untyped-call]
            if self._merger.config is None:
                raise config.ConfigException("there is no such file")
            self.name = options.context or self._first("current-context")
            self.context: Mapping[str, Any] = self._named("contexts", self.name).value["context"] or {}
        except BROKEN as problem:
            raise self._unusable(problem) from problem
        #: what is said of the user; what a plugin gives is put into it
        self.user: dict[str, Any] = {}
        named = str(self.context.get("user") or "")
        self._node: Any = None
        if named and self._merger.config.safe_get("users"):
            self._node = self._merger.config["users"].get_with_name(named, safe=True)
        if self._node is not None and isinstance(self._node.value.get("user"), dict):
            self.user = self._node.value["user"]

    @property
    def plugin(self) -> Any:
        """What is said of an exec plugin, where nothing else is said of the user that comes before it."""
        before = ("token", "tokenFile", "auth-provider")
        if not self.user.get("exec") or any(self.user.get(key) for key in before) or self._node is None:
            return None
        return self._node["user"]["exec"]

    def run(self, plugin: Any) -> Mapping[str, Any]:
        """What the plugin says. Raises one of BROKEN."""
        cluster = self._named("clusters", str(self.context.get("cluster")))
        folder = str(Path(cluster.path).absolute().parent) if cluster.path else ""
        status = ExecProvider(plugin, folder, cluster["cluster"]).run()  # type: ignore[no-untyped-call]
        if not isinstance(status, Mapping):
            raise config.ConfigException("there is no status in its answer")
        return status

    def load(self, configuration: client.Configuration) -> None:
        """Have the official client go by it."""
        if "token" in self.user and "exec" in self.user:
            del self.user["exec"]
        try:
            loader: Any = KubeConfigLoader(  # type: ignore[no-untyped-call]
                self._merger.config, active_context=self.name, config_base_path=None
            )
            loader.load_and_set(configuration)
        except BROKEN as problem:
            raise self._unusable(problem) from problem

    def _first(self, key: str) -> str:
        """Of the first file that says it, as kubectl has it; the client takes the last one's."""
        for path in self._merger.paths:
            if said := self._merger.config_files[path].get(key):
                return str(said)
        raise config.ConfigException(f"no {key} is set")

    def _named(self, kind: str, name: str) -> Any:
        nodes = self._merger.config.safe_get(kind)
        known = [str(one["name"]) for one in nodes] if nodes else []
        if name not in known:
            raise config.ConfigException(f"{kind}: {', '.join(known) or 'none'}")
        return self._merger.config[kind].get_with_name(name)

    def _unusable(self, problem: Exception) -> ConfigError:
        return ConfigError(
            "the kubeconfig cannot be used", found=web.line(str(problem)), where=self._files,
            expected=self._expected, remedy="set platform.kubeconfig and platform.context, or KUBECONFIG",
        )  # fmt: skip


def _inside(options: KubernetesOptions) -> bool:
    """Whether there is nothing but this pod's own service account."""
    if options.kubeconfig or options.context or os.environ.get("KUBECONFIG"):
        return False
    usual = Path(config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION).expanduser()
    return "KUBERNETES_SERVICE_HOST" in os.environ and not usual.exists()


def _given(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a plugin gave, as a kubeconfig says it of a user. Raises ConfigException for nothing of use."""
    given: dict[str, Any] = {}
    if token := status.get("token"):
        given["token"] = str(token)
    certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
    if certificate and key:
        given["client-certificate-data"] = base64.b64encode(str(certificate).encode()).decode()
        given["client-key-data"] = base64.b64encode(str(key).encode()).decode()
    if not given:
        raise config.ConfigException("it gave neither a token nor a certificate with its key")
    return given


def _impersonating(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The headers by which the cluster takes us for somebody else, where we may be that."""
    if name := user.get("as"):
        yield "Impersonate-User", str(name)
    if uid := user.get("as-uid"):
        yield "Impersonate-Uid", str(uid)
    for group in user.get("as-groups") or ():
        yield "Impersonate-Group", str(group)
    for key, values in (user.get("as-user-extra") or {}).items():
        for value in values or ():
            yield f"Impersonate-Extra-{key}", str(value)
