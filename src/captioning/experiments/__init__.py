"""Compares the captions of experiments with p-values, and checks figures against limits."""
