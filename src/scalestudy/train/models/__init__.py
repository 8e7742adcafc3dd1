"""The networks, and how one is built from its name."""
