"""Reports and comparisons of runs, as tables and pages."""
