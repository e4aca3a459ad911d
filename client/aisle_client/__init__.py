"""Ask an Aisle product search.

>>> from aisle_client import Aisle
>>> shop = Aisle("http://127.0.0.1:8000")
>>> shop.search("red dress", price_max=50)["total"]  # doctest: +SKIP
137
"""

from aisle_client.client import Aisle
from aisle_client.problems import AisleError, AisleProblem, AisleUnreachable

__all__ = ["Aisle", "AisleError", "AisleProblem", "AisleUnreachable"]
__version__ = "0.1.0"
