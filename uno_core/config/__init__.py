"""What people write: nodes with their lines, options, and the structure that both fill."""
