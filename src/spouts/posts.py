"""Posts."""

from typing import ClassVar

from spouts.kafka_batch import KafkaBatchSpout


class PostSpout(KafkaBatchSpout):
    """Reads the topic of the setting `topic.posts`."""

    topic_setting: ClassVar[str] = "topic_posts"
