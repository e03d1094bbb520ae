"""The recreate strategy for uno."""
