import torch
from hypothesis import given
from hypothesis import strategies as st

from photochrom.workbench.networks.guided import halve_hints, stride_4_hints, wanted


@given(st.floats(-110, 110), st.floats(-110, 110))
def test_a_constant_hint_stays_constant_at_every_size(a, b):
    ab = torch.tensor([a, b]).reshape(1, 2, 1, 1).expand(1, 2, 32, 32)
    planes = stride_4_hints(ab, torch.ones(1, 1, 32, 32))
    for _ in range(4):
        expected = torch.tensor([a / 50, b / 50, 1.0]).reshape(1, 3, 1, 1)
        torch.testing.assert_close(planes, expected.expand_as(planes), atol=1e-4, rtol=0)
        planes = halve_hints(planes) if planes.shape[-1] > 1 else planes


def test_without_hints_there_are_zeros_and_never_nan():
    planes = stride_4_hints(torch.full((1, 2, 32, 32), 70.0), torch.zeros(1, 1, 32, 32))
    for _ in range(4):
        assert not planes.any()
        planes = halve_hints(planes) if planes.shape[-1] > 1 else planes


def test_one_hinted_pixel_keeps_its_colour_and_is_there_at_every_size():
    ab, mask = torch.full((1, 2, 32, 32), -90.0), torch.zeros(1, 1, 32, 32)
    ab[:, :, 5, 6], mask[:, :, 5, 6] = torch.tensor([40.0, 20.0]), 1
    planes = stride_4_hints(ab, mask)
    for _ in range(3):
        spot = planes[0, :, planes[0, 2] > 0]
        torch.testing.assert_close(spot[:, 0], torch.tensor([0.8, 0.4, 0.25]))
        assert spot.shape[1] == 1
        planes = halve_hints(planes)


def test_a_quarter_of_a_cell_counts_as_fully_hinted():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 0, :] = 1
    assert float(stride_4_hints(torch.zeros(1, 2, 4, 4), mask)[0, 2]) == 1


def test_what_is_not_wished_is_not_seen():
    histogram = torch.tensor([[0.25, 0.75, 20.0]])
    unseen = wanted(histogram, torch.tensor([[0.0, 0.0]]))
    assert not unseen.any()
    both = wanted(histogram, torch.tensor([[1.0, 1.0]]))
    torch.testing.assert_close(both, torch.tensor([[0.5, 0.75**0.5, 0.4, 1, 1]]))
