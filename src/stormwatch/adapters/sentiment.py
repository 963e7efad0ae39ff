"""Sentiment of English texts by VADER (Hutto and Gilbert, ICWSM 2014), package vaderSentiment.

Release 3.3.2 (2020, MIT), 0.6 MB; its lexicon takes 7 ms and 3 MB to load, a tweet 36 us.
It also requires `requests`, which it imports in its demonstration only.

VADER knows words between ASCII spaces and punctuation, and negations by their ASCII apostrophe:
what phones and word processors write (isn’t, “good”, good—really, ❤️) it would not read, or read as
the contrary. So a text is first written as VADER expects it. A change of that is
another `Social.model_version`.
"""

import re
import unicodedata
from functools import lru_cache
from html import unescape
from typing import Any

_APOSTROPHES = dict.fromkeys("‘’‛′´`ʼʹ＇", "'")
_HYPHENS = dict.fromkeys("‐‑", "-")
_UNSEEN = dict.fromkeys("\u00ad\u200c\u200d\u2060\ufe0e\ufe0f\ufeff")  # within a word or an emoji
_GAP = {"\u200b": " "}
_SPELLING = str.maketrans(_APOSTROPHES | _HYPHENS | _UNSEEN | _GAP)
_WORDLESS = frozenset({"Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk"})
_OTHER = re.compile(r"[^\x00-\x7f]")


def sentiment(text: str) -> int:
    """VADER's compound of the text, -10,000 (bad) to 10,000 (good); 0 where no word is known."""
    compound: float = _analyzer().polarity_scores(spelled(unescape(text)))["compound"]
    return round(compound * 10_000)


def spelled(text: str) -> str:
    """The text as VADER reads it: apostrophes in ASCII, letters and signs in their plain form
    (NFKC), any other sign apart from the words beside it. An ASCII text stays as it is but for
    the backtick, which people type for an apostrophe."""
    return _OTHER.sub(_plain, text.translate(_SPELLING))


def _plain(found: re.Match[str]) -> str:
    sign = found[0]
    kind = unicodedata.category(sign)
    plain = unicodedata.normalize("NFKC", sign)
    if kind in ("So", "No"):  # an emoji, which VADER puts into words; ™, ²
        return f" {plain} "
    return plain if plain.isascii() or kind not in _WORDLESS else " "


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    """Loaded at the first text: a process that only scores stays small."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
