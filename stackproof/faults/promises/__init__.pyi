from .transacting import (
    LOOKS_EVERY as LOOKS_EVERY,
)
from .transacting import (
    OPEN_AT_MOST as OPEN_AT_MOST,
)
from .transacting import (
    OpenTransaction as OpenTransaction,
)
from .transacting import (
    check_transformed as check_transformed,
)
from .transacting import (
    transform_through as transform_through,
)
