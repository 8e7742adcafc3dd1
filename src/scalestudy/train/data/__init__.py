"""Data sets: from their original files to batches on the device."""
