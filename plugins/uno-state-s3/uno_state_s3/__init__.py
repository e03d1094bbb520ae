"""The state store `s3` of uno."""
