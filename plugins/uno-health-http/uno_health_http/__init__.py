"""The health check `http`: one request, and what its answer must be."""
