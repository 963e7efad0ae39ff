"""Card transactions."""

from typing import ClassVar

from spouts.kafka_batch import KafkaBatchSpout


class TransactionSpout(KafkaBatchSpout):
    """Reads the topic of the setting `topic.transactions`."""

    topic_setting: ClassVar[str] = "topic_transactions"
