from .fixture import RedisSession as RedisSession
from .server import SERVICE as SERVICE
from .server import Redis as Redis
