from .anomaly import Anomaly as Anomaly
from .anomaly import WitnessRecord as WitnessRecord
from .books import FlowRecords as FlowRecords
from .checks import CHECKS as CHECKS
from .columns import Event as Event
from .columns import Snapshot as Snapshot
from .digests import Enclosed as Enclosed
from .digests import carried_digest as carried_digest
from .digests import digest_of as digest_of
from .digests import preview as preview
from .expectation import Expectation as Expectation
from .files import (
    HistoryError as HistoryError,
)
from .files import (
    export as export,
)
from .files import (
    load as load,
)
from .files import (
    recheck as recheck,
)
from .files import (
    render_check as render_check,
)
from .files import (
    save as save,
)
from .flow import Flow as Flow
from .flow_verdict import Figures as Figures
from .flow_verdict import FlowVerdict as FlowVerdict
from .flow_verdict import check_flow as check_flow
from .guarantee import GUARANTEES as GUARANTEES
from .guarantee import Guarantee as Guarantee
from .looked_for import Check as Check
from .models.checking import MODELS as MODELS
from .models.checking import check as check
from .models.checking import tells_apart as tells_apart
from .models.expectations import Limit as Limit
from .models.expectations import Locks as Locks
from .models.expectations import Members as Members
from .models.expectations import Queue as Queue
from .models.expectations import Registers as Registers
from .operating import Answer as Answer
from .record import History as History
from .record import Status as Status
from .verdict import Verdict as Verdict
