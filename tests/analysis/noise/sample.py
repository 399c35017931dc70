"""A table of one configuration, for the tests of noise."""

from __future__ import annotations

import numpy as np
import pandas as pd


def frame(scores, **columns):
    """Return a table of one configuration from an array (case, seed)."""
    index = np.indices(scores.shape).reshape(2, -1)
    return pd.DataFrame(
        {"configuration": "base", "case": index[0], "seed": index[1], "score": scores.ravel(), **columns}
    )
