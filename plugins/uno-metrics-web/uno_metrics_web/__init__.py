"""Metrics out of JSON over HTTP, found in it by JMESPath."""
