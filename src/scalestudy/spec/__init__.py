"""What is studied: configuration models, cells and runs. Pure: no files but config.yaml, no clock, no torch."""
