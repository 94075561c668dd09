"""Well-known networks as modules of PyTorch. Imported only where one of them is exported: torch is an optional part."""
