import numpy as np
import pytest
import pyvips

from photochrom.photo.orientation import to_stored, to_upright, upright_size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_libvips_turns_it(orientation):
    stored = np.arange(15, dtype=np.uint8).reshape(3, 5)
    image = pyvips.Image.new_from_array(stored).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    np.testing.assert_array_equal(to_upright(stored, orientation), image.autorot().numpy())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 2)])
def test_turning_back_gives_the_stored_picture(orientation, shape):
    stored = np.arange(np.prod(shape)).reshape(shape)
    upright = to_upright(stored, orientation)
    assert upright.shape[1::-1] == upright_size(5, 3, orientation)
    np.testing.assert_array_equal(to_stored(upright, orientation), stored)
