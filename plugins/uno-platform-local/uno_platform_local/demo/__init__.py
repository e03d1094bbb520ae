"""`uno demo`: a real deployment of a sample application on this machine, under load, in about a minute."""
