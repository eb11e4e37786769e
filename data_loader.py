"""The book's import: `from data_loader import DataLoader`."""

from cyclegan_keras.data.loader import DataLoader

__all__ = ["DataLoader"]
