"""What is interrupted: each thing that touches the home, how to see that nothing was lost, and how to go on after it.

To have another operation tried, such as one that writes beside the releases, write a class and add it to OPERATIONS:
its sites are found by running it.
"""

from __future__ import annotations

from building import Building, BuildingCoarse, BuildingElsewhere, Opening, RollingBack, Updating
from changing import Changing, ChangingDamaged, ChangingFirst, ChangingShort, Patching, Repricing
from keeping import Keeping, Storing, StoringFirst, Telling
from operation import Operation

OPERATIONS: dict[str, Operation] = {
    one.name: one
    for one in (
        Building(), BuildingCoarse(), BuildingElsewhere(), Updating(), Changing(), ChangingFirst(), ChangingShort(),
        ChangingDamaged(), Repricing(), Patching(), RollingBack(), Opening(), Storing(), StoringFirst(), Keeping(),
        Telling(),
    )
}  # fmt: skip
