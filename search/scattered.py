"""Many short pieces of a large file, read rather than mapped.

What is mapped and once touched stays resident, and a touch brings 64 kB with it: a few thousand queries would hold all
segments. Read pieces leave the file in the system's cache, which is no process's memory. 180 pieces of 4 kB take .3 ms,
.15 more than from a map all of which is resident.
"""

from __future__ import annotations

import ctypes
import os
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Rows
from search.errors import ReleaseDamaged


def _pread() -> Any:
    # Unlike os.pread it keeps the interpreter's lock: given up hundreds of times a query, it would come back late.
    function = getattr(ctypes.PyDLL(None), "pread", None) if os.name == "posix" else None
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64)
        function.restype = ctypes.c_ssize_t
    return function


PREAD = _pread()  # None where the system has no such call


class ScatteredFile:
    """A file open for reading pieces; closed when it is forgotten.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file = path.open("rb", buffering=0)

    def read(self, out: NDArray[Any], starts: Rows, sizes: Rows) -> None:
        """Fill a contiguous array with pieces, one behind the other.

        Args:
            out: of the pieces' bytes together.
            starts, sizes: (m,) int64 bytes of each piece.

        Raises:
            ReleaseDamaged: the file has become shorter.
        """
        if len(starts) == 0:
            return
        ends = sizes.cumsum()
        if out.nbytes != ends[-1]:
            raise ValueError(f"{ends[-1]} bytes do not fill {out.nbytes}")
        targets = ends - sizes + out.__array_interface__["data"][0]
        goes_on = starts[1:] == starts[:-1] + sizes[:-1]
        if goes_on.any():  # neighbours, as the variants of a product are, are read in one go
            firsts = np.flatnonzero(np.concatenate([[True], ~goes_on]))
            starts, sizes, targets = starts[firsts], np.add.reduceat(sizes, firsts), targets[firsts]
        wanted = sizes.tolist()
        if list(map(PREAD, repeat(self._file.fileno()), targets.tolist(), wanted, starts.tolist())) != wanted:
            raise ReleaseDamaged(f"{self.path} has become shorter or cannot be read; build the release again")


def array_in_pieces(path: Path) -> tuple[NDArray[Any], ScatteredFile | None, int]:
    """Return the array of a .npy file, mapped for who wants it all, the file for who reads pieces, and where it begins.

    None in place of the file where the system cannot read so.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    array = np.load(path, mmap_mode="r")  # as a memmap, which knows where its rows begin
    return np.asarray(array), ScatteredFile(path) if PREAD is not None else None, array.offset
