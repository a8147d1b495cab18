from .fixture import KafkaFixture as KafkaFixture
from .server import SERVICE as SERVICE
from .server import Kafka as Kafka
