"""How good translations are: metrics, features, and diagnostics."""
