"""What trains: models, data, strategies, clock, checkpoint, loop. The only layer that imports torch."""
