"""What a plugin implements: strategies, platforms, health checks, metric providers, judges."""
