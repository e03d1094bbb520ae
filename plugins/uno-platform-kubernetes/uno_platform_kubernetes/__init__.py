"""uno on Kubernetes."""
