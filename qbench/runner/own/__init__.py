"""One network of the user's: what is asked of it, what becomes of it, and quantizing it once."""
