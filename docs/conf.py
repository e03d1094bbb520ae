"""Sphinx: the documentation of uno, in Markdown."""

project = "uno"
author = "The authors of uno"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "uno"
myst_heading_anchors = 3
