"""A server that translates pictures, for this computer or for a network that is trusted."""
