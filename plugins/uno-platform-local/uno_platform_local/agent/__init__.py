"""The agent: drives what runs to what is wanted, for as long as the supervisor lives."""
