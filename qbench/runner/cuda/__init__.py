"""The experiment on a GPU: the device's clock, its ceilings, rows of a suite of `kind: cuda`, one run of them."""
