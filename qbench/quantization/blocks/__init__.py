"""Learning a block at a time: its nodes in torch, what is learned of it, the loop. Imported where torch is there."""
