"""The health check `tcp`: one connection, and what is said over it."""
