"""Loads models that nobody vouches for."""
