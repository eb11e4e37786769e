"""Converts generators that other programs have trained."""
