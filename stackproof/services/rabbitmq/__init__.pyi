from .fixture import RabbitMQFixture as RabbitMQFixture
from .server import SERVICE as SERVICE
from .server import RabbitMQ as RabbitMQ
