"""The clock, and what is timed with it: samples in turns, of networks, of layers and of steps."""
