from .server import SERVICE as SERVICE
from .server import Kafka as Kafka
