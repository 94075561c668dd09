"""Matrix products: convolutions of 1 x 1 images, with their own law and checks."""
