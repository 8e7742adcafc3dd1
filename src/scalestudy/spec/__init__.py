"""What is studied: configuration models, cells and runs. Pure: no files but config.yaml and the user's own
modules, no clock, no torch."""
