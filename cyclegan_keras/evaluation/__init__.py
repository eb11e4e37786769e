"""Saying how good a result is."""
