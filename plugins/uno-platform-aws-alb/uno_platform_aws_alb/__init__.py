"""Weighted target groups of an Application Load Balancer, for uno."""
