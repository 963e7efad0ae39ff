"""Machine readings."""

from typing import ClassVar

from spouts.kafka_batch import KafkaBatchSpout


class ReadingSpout(KafkaBatchSpout):
    """Reads the topic of the setting `topic.readings`."""

    topic_setting: ClassVar[str] = "topic_readings"
