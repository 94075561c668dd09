"""Two builds of qbench side by side: each in a process of its own, on its own sources, timed in the same rounds."""
