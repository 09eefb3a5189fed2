"""A trained captioner, which writes captions for images: the library's entrance."""

from captioning.captioner.caption import Caption
from captioning.captioner.captioner import Captioner

__all__ = ["Caption", "Captioner"]
