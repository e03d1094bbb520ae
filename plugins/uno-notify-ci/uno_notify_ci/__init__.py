"""The notifier `ci` of uno."""
