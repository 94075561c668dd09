"""3 x 3 convolutions by a quarter of the products, exact to the last bit: Winograd's F(4 x 4, 3 x 3) in integers."""
