"""The rolling strategy for uno."""
