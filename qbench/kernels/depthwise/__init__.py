"""Depthwise convolutions: every channel has a window of its own weights. u8 codes in, u8 codes out."""
