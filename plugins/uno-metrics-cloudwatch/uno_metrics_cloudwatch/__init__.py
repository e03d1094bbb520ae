"""The metric provider `cloudwatch` of uno."""
