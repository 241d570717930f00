"""Pictures of manholes that spill can be read on light and on dark rims."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.model.appearance import SPILL_COLOR
from cimdesk.scene.flood_nodes import fountain_picture
from cimdesk.scene.look import LOOKS


@pytest.mark.parametrize("name", sorted(LOOKS))
def test_numbers_stand_out_from_their_rim(name):
    halo = LOOKS[name].halo
    one, many = (np.asarray(fountain_picture(26, SPILL_COLOR, halo, count), dtype=np.float64) for count in (1, 8))
    number = many[:, (many.shape[1] + one.shape[1]) // 2 :]
    shown = number[number[..., 3] > 250][:, :3] @ [0.2126, 0.7152, 0.0722]
    assert np.ptp(shown) > 100.0
