from .kafka import KafkaSession as KafkaSession
