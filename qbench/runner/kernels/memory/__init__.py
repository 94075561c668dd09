"""Operations that move memory: what they are fed, and qbench's side of them."""
