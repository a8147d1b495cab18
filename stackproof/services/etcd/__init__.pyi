from .fixture import EtcdFixture as EtcdFixture
from .server import SERVICE as SERVICE
from .server import Etcd as Etcd
