"""What stands between the products of a transformer: normalization, gelu, attention, means over tokens."""
