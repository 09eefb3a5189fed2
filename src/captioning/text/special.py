"""The special tokens, which are the same in every vocabulary."""

from __future__ import annotations

#: Ids of padding, of unknown words, and of the tokens around every caption.
PAD, UNK, START, END = range(4)
#: Ids that the decoder must never produce.
BANNED = (PAD, UNK, START)
#: Tokens of these ids. Padding is the empty string.
SPECIAL_TOKENS = ("", "[UNK]", "[START]", "[END]")
#: Lines of these tokens in a file, where an empty line for padding would be puzzling.
SPECIAL_LINES = ("[PAD]", *SPECIAL_TOKENS[1:])
