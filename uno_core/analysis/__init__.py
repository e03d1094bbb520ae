"""Evidence: windows out of providers, findings out of judges, one verdict out of findings."""
