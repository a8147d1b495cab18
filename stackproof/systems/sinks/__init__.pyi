from .sink import EventSink as EventSink
