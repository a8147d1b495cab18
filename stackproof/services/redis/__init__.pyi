from .fixture import RedisFixture as RedisFixture
from .server import SERVICE as SERVICE
from .server import Redis as Redis
