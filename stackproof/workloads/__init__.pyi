from .crowd import at_once as at_once
from .latencies import Latencies as Latencies
from .loops import ClosedLoop as ClosedLoop
from .loops import OpenLoop as OpenLoop
from .task import Owner as Owner
from .task import Task as Task
