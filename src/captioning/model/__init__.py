"""The decoder, in Keras 3 alone: it runs on any Keras backend."""

from captioning.model.decoder import CaptionDecoder

__all__ = ["CaptionDecoder"]
