"""Scripts, each run by `python -m`: `deploy` and `blue_green`."""
