"""What the machine allows: ceilings of computing and of messages, measured by the ranks of a layout together."""
