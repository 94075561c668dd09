"""What calibration counts of a tensor: extremes, sums of each sample and a histogram, in one look at its numbers."""
