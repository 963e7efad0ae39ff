"""What comes without a log gets one: records are received, appended to Kafka, then acknowledged."""
