import pytest
import torch

from photochrom.workbench.training import precision
from photochrom.workbench.training.precision import choose_precision, has_bfloat16


@pytest.fixture(params=[True, False], ids=["has bfloat16", "emulates it"])
def native(request, monkeypatch):
    monkeypatch.setattr(precision, "_processor_has_bfloat16", lambda: request.param)
    return request.param


def test_bfloat16_is_taken_only_where_the_processor_has_it(native):
    chosen = choose_precision("bf16-mixed", "cpu")
    assert chosen.name == ("bf16-mixed" if native else "32-true")
    said = {
        True: "bfloat16 (bf16-mixed), which this cpu computes itself",
        False: "float32 (32-true), since this cpu has no bfloat16 and would emulate it slowly",
    }
    assert str(chosen) == said[native]


def test_another_precision_of_a_recipe_stays(native):
    assert choose_precision("32-true", "cpu") == ("32-true", "as the recipe says")


def test_what_is_insisted_on_is_done_and_what_it_costs_is_said(native):
    assert choose_precision("bf16-mixed", "cpu", "32-true") == ("32-true", "as asked")
    chosen = choose_precision("32-true", "cpu", "bf16-mixed")
    assert chosen.name == "bf16-mixed"
    assert ("emulates it slowly" in chosen.why) == (not native)


def test_the_processor_is_asked_through_torch():
    assert has_bfloat16("cpu") == torch.ops.mkldnn._is_mkldnn_bf16_supported()


def test_a_torch_without_that_question_has_no_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    assert not has_bfloat16("cpu")
    assert choose_precision("bf16-mixed", "cpu").name == "32-true"


def test_a_graphics_card_that_would_emulate_computes_in_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert choose_precision("bf16-mixed", "cuda").name == "32-true"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert choose_precision("bf16-mixed", "cuda").name == "bf16-mixed"
