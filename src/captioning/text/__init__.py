"""Captions as token ids: standardization, vocabularies of words or subwords, and output bias."""

from __future__ import annotations

from captioning.text.bias import marginal_entropy, output_bias, uniform_entropy
from captioning.text.kinds import fit_vocabulary, load_vocabulary
from captioning.text.special import BANNED, END, PAD, SPECIAL_TOKENS, START, UNK
from captioning.text.standardization import (
    Standardization,
    standardize,
)
from captioning.text.statistics import load_bias, load_counts, save_statistics
from captioning.text.subwords import SubwordVocabulary
from captioning.text.vocabulary import Vocabulary
from captioning.text.words import WordVocabulary

__all__ = [
    "BANNED",
    "END",
    "PAD",
    "SPECIAL_TOKENS",
    "START",
    "UNK",
    "Standardization",
    "SubwordVocabulary",
    "Vocabulary",
    "WordVocabulary",
    "fit_vocabulary",
    "load_bias",
    "load_counts",
    "load_vocabulary",
    "marginal_entropy",
    "output_bias",
    "save_statistics",
    "standardize",
    "uniform_entropy",
]
