//go:build tools

// Package controlplane names what is built, and the modules whose CRDs are installed.
package controlplane

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "istio.io/api/networking/v1"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
