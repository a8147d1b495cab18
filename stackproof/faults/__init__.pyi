from .breaking import Faults as Faults
from .failover import FAILOVER as FAILOVER
from .failover import Failover as Failover
