"""Strategies to derive from, and scripts to run."""
