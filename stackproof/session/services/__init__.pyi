from .kafka import KafkaSession as KafkaSession
from .rabbitmq import RabbitSession as RabbitSession
from .redis import RedisSession as RedisSession
