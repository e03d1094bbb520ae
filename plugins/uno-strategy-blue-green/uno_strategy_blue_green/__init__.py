"""The blue-green strategy for uno."""
