"""Sphinx: the documentation of uno, in Markdown."""

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

project = "uno"
author = "The authors of uno"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "uno"
myst_heading_anchors = 3

# Pygments has none, and a table needs no colours.
lexers["csv"] = TextLexer()
