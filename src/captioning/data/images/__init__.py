"""Images as bytes: allowed formats, decoding and resizing."""
