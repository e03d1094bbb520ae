"""Traffic split by DNS, for uno: Route 53, and whatever takes dynamic updates (RFC 2136)."""
