"""The files between the parts: their models, readers and writers. No torch."""
