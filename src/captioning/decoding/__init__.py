"""Search for captions with a trained decoder: greedy, sampling and beam search.

Everything here uses Keras 3 only and runs on any Keras backend.
"""
