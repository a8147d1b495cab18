from .breaking import Faults as Faults
from .failover import Failover as Failover
