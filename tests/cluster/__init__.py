"""A Kubernetes cluster for tests, on loopback: a real control plane, real processes as pods, real requests.

etcd, kube-apiserver and kube-controller-manager are the real ones. What runs pods and what carries
requests are ours, and differ from real ones where a test would otherwise wait, or need root:

- A container is a process of this machine, which has to listen on `UNO_TEST_ADDRESS`; its image decides only
  the program and the version. Files of ConfigMaps and Secrets lie below `UNO_TEST_ROOT`.
- An image whose name has `missing` in it cannot be pulled. serve.py says what the tags do.
- Until it is ready first, a container's readiness is probed four times a second, whatever the period.
- The second restart of a crashing container waits for 1 s, later ones for 10 s at most: not 10 s and 300 s.
- Taints, affinity and priorities are ignored by the scheduler; exec, attach and port-forward are not there.
- Requests are balanced one by one, so an open connection of a client does not stay with a pod, as it does
  with a real Service; a Service is asked at its first port. `DataPlane.lag` makes it slow to follow.
- Redirects and rewrites of HTTPRoutes, and most of Istio beside weights and subsets, are refused or ignored.
- The controllers begin anew with the apiserver when a test restarts it.
"""
