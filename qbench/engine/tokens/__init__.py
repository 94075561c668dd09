"""Networks over tokens: linear layers in integers, float32 between them."""
