"""The forms in which a folder can have captions: how each is recognized and read."""
