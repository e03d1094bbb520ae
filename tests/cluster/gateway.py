"""The Gateway API: HTTPRoutes as routes of Envoy's, and the conditions that their status has to have."""

from __future__ import annotations

from attrs import define, field

from tests.cluster.api import Object, key
from tests.cluster.backends import Backends, Destination, Seen

CONTROLLER = "cluster.test/data-plane"
INVALID = "invalid"
"""The cluster that answers 500: what an invalid backend's share of the requests gets."""

GROUP = "gateway.networking.k8s.io"


class Unsupported(Exception):
    """A route that this data plane cannot carry out: it is not accepted, and takes no traffic."""


@define
class Rules:
    """The routes of one HTTPRoute, by hostname, and why it does not resolve."""

    route: Object
    backends: Backends
    problem: tuple[str, str] | None = None
    made: list[tuple[tuple, Object]] = field(factory=list)

    def make(self) -> None:
        """Raises Unsupported."""
        for rule in self.route["spec"].get("rules") or ():
            action = self._action(rule)
            for match in rule.get("matches") or [{}]:
                self.made.append((precedence(match), {"match": matching(match), **action}))

    def _action(self, rule: Object) -> Object:
        shares: dict[str, int] = {}
        for ref in rule.get("backendRefs") or ():
            name = self._cluster(ref) or INVALID
            shares[name] = shares.get(name, 0) + ref.get("weight", 1)
        action = split(shares)
        for filter_ in rule.get("filters") or ():
            self._filter(filter_, action)
        return action

    def _cluster(self, ref: Object) -> str | None:
        namespace = self.route["metadata"]["namespace"]
        if (ref.get("group", ""), ref.get("kind", "Service")) != ("", "Service"):
            return self._invalid("InvalidKind", f"{ref.get('group', '')}/{ref.get('kind')} is no Service")
        if ref.get("namespace", namespace) != namespace:
            return self._invalid("RefNotPermitted", f"no ReferenceGrant lets it use {ref['namespace']}")
        port = self.backends.port(namespace, ref["name"], ref.get("port"))
        if port is None or "port" not in ref:
            return self._invalid("BackendNotFound", f"no Service {ref['name']} with port {ref.get('port')}")
        return self.backends.use(Destination(namespace, ref["name"], port["port"]))

    def _invalid(self, reason: str, message: str) -> None:
        self.problem = self.problem or (reason, message)

    def _filter(self, filter_: Object, action: Object) -> None:
        kind = filter_["type"]
        if kind == "RequestMirror":
            mirror = filter_["requestMirror"]
            name = self._cluster(mirror["backendRef"])
            if name and "route" in action:
                part = {"numerator": mirror.get("percent", 100), "denominator": "HUNDRED"}
                policy = {"cluster": name, "runtime_fraction": {"default_value": part}}
                action["route"].setdefault("request_mirror_policies", []).append(policy)
        elif kind in ("RequestHeaderModifier", "ResponseHeaderModifier"):
            way = kind.partition("Header")[0].lower()
            change = filter_[f"{way}HeaderModifier"]
            for how, verb in (("set", "OVERWRITE_IF_EXISTS_OR_ADD"), ("add", "APPEND_IF_EXISTS_OR_ADD")):
                rows = [
                    {"header": {"key": row["name"], "value": row["value"]}, "append_action": verb}
                    for row in change.get(how) or ()
                ]
                action.setdefault(f"{way}_headers_to_add", []).extend(rows)
            action.setdefault(f"{way}_headers_to_remove", []).extend(change.get("remove") or ())
        else:
            raise Unsupported(f"this data plane has no filter {kind}")


def split(shares: dict[str, int]) -> Object:
    """Requests in proportion; retries go to another pod, and only where nothing was processed."""
    shares = {name: weight for name, weight in shares.items() if weight > 0}
    if not shares or set(shares) == {INVALID}:
        return {"direct_response": {"status": 500, "body": {"inline_string": "no backend\n"}}}
    rows = [{"name": name, "weight": weight} for name, weight in shares.items()]
    host = "envoy.retry_host_predicates.previous_hosts"
    previous = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    retries = {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 3,
        "host_selection_retry_max_attempts": "5",
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
        "retry_host_predicate": [{"name": host, "typed_config": {"@type": previous}}],
    }
    return {"route": {"timeout": "15s", "weighted_clusters": {"clusters": rows}, "retry_policy": retries}}


def matching(match: Object) -> Object:
    path = match.get("path") or {}
    value = path.get("value", "/")
    kind = path.get("type", "PathPrefix")
    result: Object
    if kind == "Exact":
        result = {"path": value}
    elif kind == "RegularExpression":
        result = {"safe_regex": {"regex": value}}
    else:
        bare = value.rstrip("/")
        result = {"path_separated_prefix": bare} if bare else {"prefix": "/"}
    rows = [{"name": row["name"], "string_match": _text(row)} for row in match.get("headers") or ()]
    if match.get("method"):
        rows.append({"name": ":method", "string_match": {"exact": match["method"]}})
    result["headers"] = rows
    result["query_parameters"] = [
        {"name": row["name"], "string_match": _text(row)} for row in match.get("queryParams") or ()
    ]
    return result


def _text(row: Object) -> Object:
    if row.get("type", "Exact") == "RegularExpression":
        return {"safe_regex": {"regex": row["value"]}}
    return {"exact": row["value"]}


def precedence(match: Object) -> tuple:
    """The most specific first, in the order that the API gives."""
    path = match.get("path") or {}
    return (
        path.get("type", "PathPrefix") != "Exact",
        -len(path.get("value", "/")),
        not match.get("method"),
        -len(match.get("headers") or ()),
        -len(match.get("queryParams") or ()),
    )


def parents(seen: Seen, route: Object) -> list[tuple[Object, str, str]]:
    """Each parent that is ours, with why it does not accept the route: reason and message, or nothing."""
    found = []
    for ref in route["spec"].get("parentRefs") or ():
        namespace = ref.get("namespace", route["metadata"]["namespace"])
        gateway = seen.gateways.get((namespace, ref["name"]))
        if ref.get("kind", "Gateway") == "Gateway" and gateway and ours(seen, gateway):
            found.append((ref, *refusal(gateway, ref, route)))
    return found


def ours(seen: Seen, gateway: Object) -> bool:
    made_of = seen.classes.get(("", gateway["spec"]["gatewayClassName"]))
    return bool(made_of) and made_of["spec"]["controllerName"] == CONTROLLER


def refusal(gateway: Object, ref: Object, route: Object) -> tuple[str, str]:
    asked = (ref.get("sectionName"), ref.get("port"))
    rows = [
        row
        for row in gateway["spec"]["listeners"]
        if asked[0] in (None, row["name"]) and asked[1] in (None, row["port"])
    ]
    if not rows:
        return "NoMatchingParent", "the Gateway has no such listener"
    rows = [row for row in rows if _allowed(gateway, row, route)]
    if not rows:
        return "NotAllowedByListeners", "no listener takes routes of this namespace"
    hosts = route["spec"].get("hostnames") or [None]
    if not any(_meets(row.get("hostname"), host) for row in rows for host in hosts):
        return "NoMatchingListenerHostname", "no listener has any of the hostnames"
    return "", ""


def _allowed(gateway: Object, listener: Object, route: Object) -> bool:
    whence = ((listener.get("allowedRoutes") or {}).get("namespaces") or {}).get("from", "Same")
    return whence == "All" or key(gateway)[0] == key(route)[0]


def _meets(one: str | None, other: str | None) -> bool:
    if not one or not other or one == other:
        return True
    return any(a.startswith("*.") and b.endswith(a[1:]) for a, b in ((one, other), (other, one)))


def condition(kind: str, good: bool, reason: str, message: str, generation: int) -> Object:
    return {
        "type": kind,
        "status": "True" if good else "False",
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
    }
