from .access import Access as Access
from .conditions import Conditions as Conditions
from .fixture import ObjectsFixture as ObjectsFixture
from .server import S3 as S3
from .server import SERVICE as SERVICE
from .streaming import Streaming as Streaming
from .uploads import Uploads as Uploads
from .versions import Versions as Versions
