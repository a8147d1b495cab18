from .fixture import VectorsFixture as VectorsFixture
from .server import SERVICE as SERVICE
from .server import Milvus as Milvus
