"""What a server accepts, and for how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from captioning.data.images.decode import MAX_MEGAPIXELS


@dataclass(frozen=True)
class Limits:
    """Limits of one server.

    Args:
        body_bytes: largest body of a request.
        total_body_bytes: bodies of all requests together that are being received or parsed.
        image_bytes: largest encoded picture.
        megapixels: largest decoded picture, at most `MAX_MEGAPIXELS`.
        images: pictures in one request.
        captions: captions for each picture.
        queue: pictures that are accepted and not yet answered, over all requests.
        connections: open connections.
        header_seconds: time for the headers of a request.
        body_seconds: time for its body.
        request_seconds: time for all of it, until the answer is complete.
        flush_seconds: time for the client to take what is left of a complete answer.
        url_seconds: time to fetch one URL, redirects included.
    """

    body_bytes: int = 32 << 20
    total_body_bytes: int = 256 << 20
    image_bytes: int = 16 << 20
    megapixels: int = MAX_MEGAPIXELS
    images: int = 16
    captions: int = 16
    queue: int = 128
    connections: int = 128
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    request_seconds: float = 60.0
    flush_seconds: float = 10.0
    url_seconds: float = 10.0

    @property
    def told(self) -> dict[str, float]:
        """What clients are told of the limits, as in `/v1/model`."""
        return {
            "images": self.images,
            "n": self.captions,
            "body_bytes": self.body_bytes,
            "image_bytes": self.image_bytes,
            "megapixels": self.megapixels,
            "request_seconds": self.request_seconds,
        }
