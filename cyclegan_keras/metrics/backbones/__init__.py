"""The networks that see features, and their weights."""
