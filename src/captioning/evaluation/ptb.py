"""Penn Treebank words as in COCO-caption: "A dog's t-shirt." becomes "a dog 's t-shirt".

COCO-caption cuts text with Stanford's PTB tokenizer, a Java program that the package pycocoevalcap
contains, and then removes punctuation. pycocoevalcap's own class `PTBTokenizer` does the same, but
it writes into the folder of the installed package, drops empty captions at the end and does not
notice when Java fails.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from pycocoevalcap.tokenizer import ptbtokenizer

from captioning.core.errors import InputError

_JAR = Path(ptbtokenizer.__file__).with_name(ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR)
_COMMAND = (
    "java",
    # Lower case must not depend on the machine's language (Turkish has two letters i).
    "-Duser.language=en",
    "-cp",
    str(_JAR),
    "edu.stanford.nlp.process.PTBTokenizer",
    "-preserveLines",
    "-lowerCase",
    "-encoding",
    "UTF-8",
)
# Stands between two texts. The tokenizer looks ahead: whether the "b." at the end of a text is an
# abbreviation would otherwise depend on how the next text begins.
_SEPARATOR = "."
_PUNCTUATION = frozenset(ptbtokenizer.PUNCTUATIONS)

#: Name and version of the program.
PTB_VERSION = _JAR.stem


def ptb_words(texts: Iterable[str]) -> list[str]:
    """Cut texts into lower-case words without punctuation, joined by single spaces.

    All texts go through one Java process. Each comes out as if it were alone, in any order.

    Raises:
        InputError: Java is not on the PATH, or it fails.
    """
    lines = [" ".join(text.split()) for text in texts]
    output = _run_java("".join(f"{line}\n{_SEPARATOR}\n" for line in lines))
    cut = output.split("\n")[:-1:2]
    if len(cut) != len(lines):
        raise RuntimeError(f"{PTB_VERSION} made {len(cut)} texts of {len(lines)}")
    return [_without_punctuation(line) for line in cut]


def _run_java(text: str) -> str:
    advice = "install a Java runtime (Debian: default-jre-headless), or choose another tokenizer"
    try:
        done = subprocess.run(_COMMAND, input=text.encode(), capture_output=True, check=True)
    except FileNotFoundError:
        raise InputError(
            f"evaluate.tokenizer ptb needs Java, but there is no `java` on the PATH: {advice}"
        ) from None
    except (OSError, subprocess.CalledProcessError) as error:
        output = getattr(error, "stderr", None) or b""
        reason = output.decode(errors="replace").strip() or error
        raise InputError(
            f"evaluate.tokenizer ptb needs Java, which failed: {advice}\n{reason}"
        ) from None
    return done.stdout.decode()


def _without_punctuation(line: str) -> str:
    # At spaces alone: a token may hold a no-break space, such as "1 1/2".
    return " ".join(word for word in line.rstrip().split(" ") if word not in _PUNCTUATION)
