"""Text: words to tokens, labelled documents, and the encoder that reads them."""
