"""A post, and its mention of one brand. Wire format: schema/posts.md."""

import msgspec


class Post(msgspec.Struct, frozen=True, array_like=True):
    """What somebody wrote in public."""

    id: str
    author: str  # also the record's Kafka key
    time: int  # ms since the epoch, UTC
    text: str

    @property
    def entity(self) -> str:
        return self.author


class Mention(msgspec.Struct, frozen=True, array_like=True):
    """A post as one brand or topic sees it: the unit that is decided after the repartition."""

    id: str  # the post's
    brand: str  # the tag in small letters; mentions.NONE for a post without tags
    time: int
    author: str
    text: str
    sentiment: int  # of the text, -10,000 to 10,000: VADER's compound times 10,000
    addressed: bool  # spoken to: by @brand, not about

    @property
    def entity(self) -> str:
        return self.brand
