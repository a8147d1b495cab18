from .caches import CacheAside as CacheAside
from .choosing import Systems as Systems
from .mirroring import Regions as Regions
from .numbers import Numbers as Numbers
from .pipeline import Pipeline as Pipeline
from .promises import Promises as Promises
from .starting import Starts as Starts
from .timing import Timing as Timing
