"""What users of the cluster write: plain objects, as short as they can be."""

from __future__ import annotations

from typing import Any

from tests.cluster.api import Object

GATEWAY = "gateway.networking.k8s.io/v1"
READY = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}


def container(tag: str = "1.0", **more: Any) -> Object:
    """Of the image `example.com/shop`, whose tag is the version that it answers with."""
    return {
        "name": "app",
        "image": f"example.com/shop:{tag}",
        "ports": [{"containerPort": 8080}],
        "readinessProbe": READY,
        **more,
    }


def pod_spec(*containers: Object, **more: Any) -> Object:
    return {"containers": list(containers or [container()]), "terminationGracePeriodSeconds": 5, **more}


def pod(name: str, spec: Object | None = None, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels or {"app": name}}, "spec": spec or pod_spec()}


def deployment(name: str, spec: Object | None = None, replicas: int = 2, **labels: str) -> Object:
    labels = labels or {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec or pod_spec()}
    body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": body}


def service(name: str, **selector: str) -> Object:
    spec = {"selector": selector or {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def gateway(name: str = "outside") -> Object:
    spec = {"gatewayClassName": "test", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}
    return {"apiVersion": GATEWAY, "kind": "Gateway", "metadata": {"name": name}, "spec": spec}


def http_route(name: str, hostname: str, *rules: Object, parent: str = "outside") -> Object:
    """Rules are as `weighted` makes them, or as the API has them."""
    spec = {"parentRefs": [{"name": parent}], "hostnames": [hostname], "rules": list(rules)}
    return {"apiVersion": GATEWAY, "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec}


def weighted(**weights: int) -> Object:
    """A rule that splits between Services by weight; `_` in a name stands for `-`."""
    refs = [
        {"name": name.replace("_", "-"), "port": 80, "weight": weight} for name, weight in weights.items()
    ]
    return {"backendRefs": refs}
