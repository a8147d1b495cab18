from .caches import CacheAside as CacheAside
from .mirroring import Regions as Regions
from .pipeline import JsonPipeline as JsonPipeline
from .promises import Promises as Promises
from .streams.stream import VectorStream as VectorStream
