from .checking import MODELS as MODELS
from .checking import check as check
from .checking import expectation_from as expectation_from
from .expectations import Limit as Limit
from .expectations import Locks as Locks
from .expectations import Members as Members
from .expectations import Queue as Queue
from .expectations import Registers as Registers
