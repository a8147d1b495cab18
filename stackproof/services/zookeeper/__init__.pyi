from .fixture import ZooKeeperFixture as ZooKeeperFixture
from .server import SERVICE as SERVICE
from .server import ZooKeeper as ZooKeeper
