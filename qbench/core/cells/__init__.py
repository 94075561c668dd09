"""What is timed by itself: matrix products and convolutions, operations that move memory, and their rows."""
