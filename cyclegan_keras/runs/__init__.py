"""A run on disk: its folder, its settings, and its training from start to end."""
