"""The image that training runs in: its engines, how it is built, and how commands are run inside it. No torch."""
