"""The caption decoder. It uses Keras 3 only and runs on any Keras backend."""

from captioning.model.decoder import CaptionDecoder

__all__ = ["CaptionDecoder"]
