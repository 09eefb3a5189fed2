"""Search over a decoder: greedy, sampling and beam search, on any Keras backend."""
