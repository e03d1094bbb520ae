"""How uno's plugins for AWS ask it."""
