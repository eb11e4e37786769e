"""Beads: the drawn data set with labels."""
