"""The durable record of deployments: every effect asked for, and its result or error."""
