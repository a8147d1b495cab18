from .kafka import KafkaSession as KafkaSession
from .rabbitmq import RabbitSession as RabbitSession
