"""The data sets of the paper's authors: a catalog, and the way to fetch them."""
