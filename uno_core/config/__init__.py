"""What people write: nodes with their lines, options, and the structure that both fill.

`load.load` reads a file for one environment; `sections` makes values of what plugins declare.
"""
