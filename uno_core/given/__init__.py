"""Releases on instances that are given: a workload for platforms that only decide which of them take part."""
