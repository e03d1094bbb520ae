"""A Deployment of the test cluster that an autoscaler sizes."""

from __future__ import annotations

REQUESTS = {"resources": {"requests": {"cpu": "100m"}}}


def scaled_by(there, name, **changes):
    """Between 1 and 8 pods, each meant to use half of its 100m; made by somebody with kubectl."""
    usage = {"type": "Utilization", "averageUtilization": 50}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": 1,
        "maxReplicas": 8,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": usage}}],
        **changes,
    }
    there.autoscaling.create_namespaced_horizontal_pod_autoscaler(
        there.name, {"metadata": {"name": name}, "spec": spec}
    )


def autoscaler(there, name):
    return there.autoscaling.read_namespaced_horizontal_pod_autoscaler(name, there.name)


def wants_fewer(there, name):
    """Whether it would go lower if it might."""
    conditions = autoscaler(there, name).status.conditions or ()
    return any(one.type == "ScalingLimited" and one.reason == "TooFewReplicas" for one in conditions)


def replicas(there, name):
    return there.apps.read_namespaced_deployment(name, there.name).spec.replicas
