"""uno on one machine: supervised processes in two slots, behind an Envoy that splits the traffic."""
