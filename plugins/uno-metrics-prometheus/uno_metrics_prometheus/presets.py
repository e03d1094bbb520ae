"""What well-known proxies expose, so that nobody has to look it up. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from uno_metrics_prometheus.template import Matchers, pattern, quoted


@frozen(kw_only=True)
class Selectors:
    """What is read of one slot, each a list whose series are summed. unit: seconds of an edge's 1."""

    requests: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    latency: tuple[str, ...] = ()
    unit: float = 1.0


@frozen(kw_only=True)
class Preset:
    """slots: what they are called there, in place of `{slot}`, unless the options say otherwise.

    slices: matchers of which each finds a part of the slot's series, their values without quotes. within:
    labels of which the user gives one; in the matchers `{within}` stands for what that is, the first of them
    that is given, and `why` says why it is needed.
    """

    requests: str
    errors: tuple[str, str, str]
    latency: str
    unit: float
    slices: tuple[Matchers, ...]
    slots: Mapping[str, str] = field(factory=dict)
    within: tuple[str, ...] = ()
    why: str = ""

    def selectors(self, labels: Mapping[str, str]) -> Selectors:
        """The selectors, where labels of the user's own come to those of the preset, or go before them.

        Raises ValueError where one is needed and not given.
        """
        own: Matchers = {name: ("=", value) for name, value in labels.items()}
        within = next(filter(None, (labels.get(name) for name in self.within)), "")
        if self.within and not within:
            expected = " or ".join(f"labels: {{{name}: …}}" for name in reversed(self.within))
            raise ValueError(f"expected {expected}, since {self.why}")
        slices = [{**_put(matchers, pattern(within)), **own} for matchers in self.slices]
        label, operator, value = self.errors
        return Selectors(
            requests=tuple(_selector(self.requests, one) for one in slices),
            errors=tuple(_selector(self.requests, {**one, label: (operator, value)}) for one in slices),
            latency=tuple(_selector(self.latency, one) for one in slices),
            unit=self.unit,
        )


def _put(matchers: Matchers, within: str) -> Matchers:
    return {
        label: (operator, value.replace("{within}", within)) for label, (operator, value) in matchers.items()
    }


def _selector(metric: str, matchers: Matchers) -> str:
    inside = ", ".join(f"{label}{operator}{quoted(value)}" for label, (operator, value) in matchers.items())
    return f"{metric}{{{inside}}}"


_WORKLOADS = {"blue": "{app}-blue", "green": "{app}-green"}

# The cluster statistics of Envoy's own documentation ("upstream_rq_<*xx>", "upstream_rq_time" in
# milliseconds, and the same below "external." for requests from outside), named as Envoy 1.35 serves
# them at /stats/prometheus. The platform `local` names its clusters blue and green.
_ENVOY = Preset(
    requests="envoy_cluster_external_upstream_rq_xx",
    errors=("envoy_response_code_class", "=", "5"),
    latency="envoy_cluster_external_upstream_rq_time_bucket",
    unit=0.001,
    slices=({"envoy_cluster_name": ("=", "{slot}")},),
)

# Envoy Gateway makes one cluster of a rule, whatever backends it has, so that nothing can be told of
# one of them; only where a backendRef has a filter it makes one of each, `…/rule/0/backend/0`
# (envoyproxy/gateway, issues 7008 and 7017).
_ENVOY_GATEWAY = Preset(
    requests="envoy_cluster_upstream_rq_xx",
    errors=("envoy_response_code_class", "=", "5"),
    latency="envoy_cluster_upstream_rq_time_bucket",
    unit=0.001,
    slices=({"envoy_cluster_name": ("=~", "httproute/[^/]+/{app}/rule/[0-9]+/backend/{slot}")},),
    slots={"blue": "0", "green": "1"},
)

# The standard metrics of istio.io's reference. By the destination, whose proxy sees each request once.
_ISTIO = Preset(
    requests="istio_requests_total",
    errors=("response_code", "=~", "5.."),
    latency="istio_request_duration_milliseconds_bucket",
    unit=0.001,
    slices=({"reporter": ("=", "destination"), "destination_workload": ("=", "{slot}")},),
    slots=_WORKLOADS,
)

# ingress-nginx, rootfs/etc/nginx/lua/monitor.lua and the user guide's page on monitoring: `service` is
# the main ingress's, also for what went to the canary; `canary` is `namespace-service-port` for that,
# and empty otherwise. So a slot has a part of each. All three may hold hyphens: without the namespace
# `prod-billing-api-80` would be the service `api` too. A port's name has 15 characters at the most.
_NGINX = Preset(
    requests="nginx_ingress_controller_requests",
    errors=("status", "=~", "5.."),
    latency="nginx_ingress_controller_request_duration_seconds_bucket",
    unit=1.0,
    slices=(
        {"service": ("=", "{slot}"), "canary": ("=", "")},
        {"canary": ("=~", "{within}-{slot}-[a-z0-9-]{1,15}")},
    ),
    slots=_WORKLOADS,
    # Prometheus calls it the first where the controller's own namespace has the second name.
    within=("exported_namespace", "namespace"),
    why="ingress-nginx calls a canary namespace-service-port, which fits services of other namespaces too",
)

PRESETS: Mapping[str, Preset] = {
    "envoy": _ENVOY,
    "envoy-gateway": _ENVOY_GATEWAY,
    "istio": _ISTIO,
    "nginx": _NGINX,
}
