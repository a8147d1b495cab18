from .fixture import SearchFixture as SearchFixture
from .server import SERVICE as SERVICE
from .server import OpenSearch as OpenSearch
