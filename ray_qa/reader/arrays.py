"""NumPy arrays by what they hold; the last letters of a variable's name are its shape (``tokens_W``: one a window)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]


def to_numpy(array: Any) -> npt.NDArray[Any]:
    """A NumPy or torch array as a NumPy array."""
    return array if isinstance(array, np.ndarray) else np.asarray(array.cpu())


def without_torch_on_cpu(array: Any) -> Any:
    """A torch tensor in the CPU's memory as a NumPy array of the same memory; anything else as it is."""
    return array if isinstance(array, np.ndarray) or array.device.type != "cpu" else to_numpy(array)
