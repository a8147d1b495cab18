from .breaking import Faults as Faults
from .by_role import BrokerFaults as BrokerFaults
from .failover import FAILOVER as FAILOVER
from .failover import Failover as Failover
from .members import GROUP as GROUP
from .members import Group as Group
from .traffic import TRAFFIC as TRAFFIC
from .traffic import Traffic as Traffic
