"""How good the predictions are, by public protocols, through the code that decides in a stream."""
