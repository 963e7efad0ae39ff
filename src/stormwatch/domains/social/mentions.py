"""Which brands and topics a post names: its @handles, #tags and $tickers."""

import re
from collections.abc import Callable

from stormwatch.domains.social.event import Mention, Post

NONE = "-"
"""The brand of posts without a tag: they are decided and counted as any."""
MOST = 8
"""Tags of one post that count; a post that names more is advertising itself."""

Sentiment = Callable[[str], int]
"""Text to -10,000 (bad) … 10,000 (good)."""

# Not within a word, an address or an HTML entity; a tag has a letter, so that #1 and $5 are none.
_TAG = re.compile(r"(?<![\w&])(?:([@#])(?=\w*[^\W\d_])(\w{1,50})(?!\w)|\$([A-Za-z]{1,6})(?!\w))")


def mentions(post: Post, sentiment: Sentiment) -> list[Mention]:
    """The post's mentions in order of the tags, each brand once; never empty."""
    addressed: dict[str, bool] = {}
    for sigil, tag, ticker in _TAG.findall(post.text):
        brand = (tag or ticker).lower()
        if brand in addressed or len(addressed) < MOST:
            addressed[brand] = addressed.get(brand, False) or sigil == "@"
    score = sentiment(post.text)
    return [
        Mention(post.id, brand, post.time, post.author, post.text, score, spoken_to)
        for brand, spoken_to in (addressed or {NONE: False}).items()
    ]
