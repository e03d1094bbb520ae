"""Plugins of pytest that the whole tree uses: pytest takes this list at the root only."""

pytest_plugins = ["pytester", "uno_core.testing.fixtures"]
