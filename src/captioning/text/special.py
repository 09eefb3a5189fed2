"""The ids that mean no text, the same in every vocabulary."""

from __future__ import annotations

PAD, UNK, START, END = range(4)
# Never produced by the decoder.
BANNED = (PAD, UNK, START)
SPECIAL_TOKENS = ("", "[UNK]", "[START]", "[END]")
# An empty line shows nothing to whoever opens the file, so padding has a name there.
SPECIAL_LINES = ("[PAD]", *SPECIAL_TOKENS[1:])
