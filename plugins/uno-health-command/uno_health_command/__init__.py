"""The health check `command`: a command of your own, and its exit code."""
