"""A world with the rules of a real one and a clock of its own: for plans, and for tests that never sleep."""
