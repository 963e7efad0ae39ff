"""What users do with items."""

from typing import ClassVar

from spouts.kafka_batch import KafkaBatchSpout


class BehaviourSpout(KafkaBatchSpout):
    """Reads the topic of the setting `topic.behaviour`."""

    topic_setting: ClassVar[str] = "topic_behaviour"
