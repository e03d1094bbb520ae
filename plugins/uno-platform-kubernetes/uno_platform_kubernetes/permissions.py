"""The rights that uno needs, by what is configured, and which of them somebody does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from attrs import frozen

from uno_core import Diagnosis, UnoError
from uno_platform_kubernetes.cluster import Cluster

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

AT_ONCE = 8
"""So many questions are on their way at a time: a doctor has five seconds for some forty of them."""


@frozen
class Rule:
    """What may be done with a kind of object, as a role says it."""

    group: str
    resource: str
    verbs: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource

    def lacking(self, verbs: Iterable[str]) -> str:
        """The line of a role that gives these verbs."""
        group = self.group or '""'
        return f"{{apiGroups: [{group}], resources: [{self.resource}], verbs: [{', '.join(verbs)}]}}"


ALWAYS: Sequence[Rule] = (
    Rule("apps", "deployments", "get list watch create patch"),
    Rule("apps", "replicasets", "get list watch"),
    Rule("", "pods", "get list watch"),
    Rule("", "pods/log", "get"),
    Rule("", "services", "get list watch create patch"),
    Rule("discovery.k8s.io", "endpointslices", "get list watch"),
    Rule("autoscaling", "horizontalpodautoscalers", "get list watch create patch delete"),
    Rule("policy", "poddisruptionbudgets", "get list"),
    Rule("networking.k8s.io", "networkpolicies", "get list"),
)
"""Whatever splits the traffic."""

ROUTES: Mapping[str, Rule] = {
    "gateway-api": Rule("gateway.networking.k8s.io", "httproutes", "get list watch patch"),
    "istio": Rule("networking.istio.io", "virtualservices", "get list watch patch"),
}
"""By what splits it."""

KEDA = Rule("keda.sh", "scaledobjects", "get list watch create patch delete")
"""Where the cluster serves that."""

COPIES: Sequence[Rule] = (
    Rule("", "configmaps", "get list create delete"),
    Rule("", "secrets", "get list create delete"),
)
"""Where releases get copies of what configures them."""

COMPANIONS: Mapping[str, Rule] = {
    "deployments": Rule("apps", "deployments", "get list watch patch"),
    "statefulsets": Rule("apps", "statefulsets", "get list watch patch"),
    "daemonsets": Rule("apps", "daemonsets", "get list watch patch"),
    "cronjobs": Rule("batch", "cronjobs", "get list watch patch"),
}
"""By what goes with the application."""

USAGE = Rule("metrics.k8s.io", "pods", "list")
"""To read what pods use."""

STATE: Sequence[Rule] = (
    Rule("", "configmaps", "get list watch create patch delete"),
    Rule("coordination.k8s.io", "leases", "get create patch"),
)
"""Where the state is kept in the cluster."""


def permissions(cluster: Cluster, rules: Iterable[Rule], what: str = "permissions") -> Iterator[Diagnosis]:
    """Each right by itself, asked of the apiserver; a finding for each kind of which one is missing."""
    wanted = list(rules)
    asked = [(rule, verb) for rule in wanted for verb in rule.verbs.split()]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # The connection is made by one of them, and its credentials are found once.
        said = list(pool.map(lambda one: _may(cluster, *one), asked))
    for rule in wanted:
        told = [(verb, found) for (one, verb), found in zip(asked, said, strict=True) if one is rule]
        if missing := [verb for verb, found in told if found is False]:
            yield Diagnosis.error(
                what, f"not permitted in the namespace {cluster.namespace}: {', '.join(missing)} {rule}",
                f"add to the role of {who(cluster) or 'this user'}: {rule.lacking(missing)}",
                forbidden=True,
            )  # fmt: skip
        if unknown := next((found for _, found in told if isinstance(found, UnoError)), None):
            yield Diagnosis.warning(
                what, f"whether {rule} may be used could not be asked: {unknown.message}", unknown.remedy
                or "look at the role by hand: it is in the documentation, under Kubernetes",
            )  # fmt: skip
    if all(found is True for found in said):
        yield Diagnosis.ok(what, f"all {len(said)} that are needed, in the namespace {cluster.namespace}")


def who(cluster: Cluster) -> str:
    """As whom the cluster knows us; empty where it does not tell."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        said: Any = cluster.api.create(WHO, body)
        return str(said["status"]["userInfo"]["username"])
    except (UnoError, KeyError, TypeError):
        return ""  # before Kubernetes 1.28, or kept secret


def _may(cluster: Cluster, rule: Rule, verb: str) -> bool | UnoError:
    name, _, sub = rule.resource.partition("/")
    asked = {"group": rule.group, "resource": name, "subresource": sub, "verb": verb}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": cluster.namespace, **asked}},
    }
    try:
        said: Any = cluster.api.create(REVIEWS, body)
    except UnoError as problem:
        return problem
    return bool((said.get("status") or {}).get("allowed"))
