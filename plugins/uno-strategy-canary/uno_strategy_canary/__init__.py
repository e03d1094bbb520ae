"""The canary strategy for uno."""
