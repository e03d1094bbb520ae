"""Metrics out of Prometheus: counts by raw samples, values by queries of your own."""
