"""The perceptual study: people say which of two images is real, or looks more real."""
