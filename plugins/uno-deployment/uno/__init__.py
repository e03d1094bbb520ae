"""The import path of uno for those who use it: `uno.deployment`. The core itself is `uno_core`.

A package and no namespace: any other module called `uno` would win over a namespace.
"""
