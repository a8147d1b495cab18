"""Makes documents of a search engine from the messages of a Kafka topic; see README.md."""
