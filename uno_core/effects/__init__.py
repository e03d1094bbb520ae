"""Where effects reach the world: convergence, traffic, evidence, and the way back."""
