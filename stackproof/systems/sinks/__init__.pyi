from .sink import EventSink as EventSink
from .speed import SinkSpeed as SinkSpeed
