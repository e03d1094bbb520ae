"""From what an engine tells to what notifiers are told, beside the deployment and never in its way."""
