"""The drawn data sets."""
