from .cluster import ClusterKeys as ClusterKeys
from .fixture import RedisFixture as RedisFixture
from .replication import Replication as Replication
from .server import SERVICE as SERVICE
from .server import Redis as Redis
