"""The notifier `webhook` of uno."""
