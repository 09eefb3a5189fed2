"""Compares the words of captions by a model with those of the references.

Words are those of the metrics, see `evaluation.words`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WordUse:
    """How often captions and references use a word.

    Attributes:
        word: the word.
        captions: occurrences among 1,000 words of the captions.
        references: occurrences among 1,000 words of the references.
        evidence: Dunning's log-likelihood ratio; negative if the captions use the word less.
    """

    word: str
    captions: float
    references: float
    evidence: float


@dataclass(frozen=True)
class WordStatistics:
    """The words of the captions of one revision.

    Attributes:
        distinct: number of distinct words in the captions.
        distinct_in_references: number of distinct words in the references.
        shared: number of distinct words in both.
        lengths: number of captions by their number of words.
        reference_lengths: number of references by their number of words.
        frequent: the most frequent words of the captions, the most frequent first.
        overused: the words that the captions use more than the references, strongest evidence
            first.
        underused: the words that they use less, likewise.
    """

    distinct: int
    distinct_in_references: int
    shared: int
    lengths: Mapping[int, int]
    reference_lengths: Mapping[int, int]
    frequent: Sequence[WordUse]
    overused: Sequence[WordUse]
    underused: Sequence[WordUse]


# Evidence that is significant for a single word (chi-squared, one degree of freedom, p < 0.001).
_SIGNIFICANT = 10.83


def word_statistics(
    captions: Sequence[str], references: Sequence[Sequence[str]], shown: int
) -> WordStatistics:
    """Count the words of captions and references, which are joined by single spaces.

    Args:
        captions: one caption an image.
        references: references of each image.
        shown: largest number of words in each list.
    """
    all_references = [reference for given in references for reference in given]
    used, wanted = word_counts(captions), word_counts(all_references)
    use = word_use(used, wanted)
    frequent = sorted(use, key=lambda item: (-used[item.word], item.word))
    by_evidence = sorted(use, key=lambda item: (-abs(item.evidence), item.word))
    clear = [item for item in by_evidence if abs(item.evidence) >= _SIGNIFICANT]
    return WordStatistics(
        distinct=len(used),
        distinct_in_references=len(wanted),
        shared=len(used.keys() & wanted.keys()),
        lengths=length_counts(captions),
        reference_lengths=length_counts(all_references),
        frequent=[item for item in frequent if used[item.word]][:shown],
        overused=[item for item in clear if item.evidence > 0][:shown],
        underused=[item for item in clear if item.evidence < 0][:shown],
    )


def word_counts(texts: Iterable[str]) -> Counter[str]:
    """Occurrences of every word."""
    return Counter(word for text in texts for word in text.split())


def length_counts(texts: Iterable[str]) -> dict[int, int]:
    """Number of texts by their number of words, shortest first."""
    return dict(sorted(Counter(len(text.split()) for text in texts).items()))


def word_use(used: Counter[str], wanted: Counter[str]) -> list[WordUse]:
    """Compare the frequencies of every word in two texts.

    The evidence is the log-likelihood ratio of Dunning 1993 ("Accurate methods for the statistics
    of surprise and coincidence") in the form of Rayson and Garside 2000, which sums over the
    occurrences only. Other than a ratio of frequencies, it does not favor rare words.

    Args:
        used: occurrences of words in the captions.
        wanted: occurrences of words in the references.
    """
    total_used, total_wanted = max(used.total(), 1), max(wanted.total(), 1)
    return [
        WordUse(
            word=word,
            captions=1000 * used[word] / total_used,
            references=1000 * wanted[word] / total_wanted,
            evidence=_evidence(used[word], total_used, wanted[word], total_wanted),
        )
        for word in sorted(used.keys() | wanted.keys())
    ]


def _evidence(used: int, total_used: int, wanted: int, total_wanted: int) -> float:
    share = (used + wanted) / (total_used + total_wanted)
    terms = [
        count * math.log(count / (share * total))
        for count, total in ((used, total_used), (wanted, total_wanted))
        if count
    ]
    sign = 1 if used / total_used >= wanted / total_wanted else -1
    return sign * 2 * math.fsum(terms)
