"""The precision of a run: the fastest that its device supports.

A processor without AVX-512 computes bfloat16 by emulation, 12 to 23 times slower than float32; one
with it is 2.8 times faster in bfloat16. So a recipe's bfloat16 is a preference.
"""

from typing import Any, NamedTuple

import torch

AUTOMATIC = "auto"
PLAIN = "32-true"
WORDS = {PLAIN: "float32", "bf16-mixed": "bfloat16", "16-mixed": "float16"}


class Precision(NamedTuple):
    """The precision of a run, and the reason.

    name : as Lightning Fabric names it
    why : the rest of a sentence that begins with its name
    """

    name: str
    why: str

    def __str__(self) -> str:
        """Return both as text."""
        return f"{WORDS.get(self.name, self.name)} ({self.name}), {self.why}"


def choose_precision(preferred: str, device: str, asked: str = AUTOMATIC) -> Precision:
    """Choose the precision of a run.

    The recipe's preference is named as Lightning Fabric does, the device as torch does ('cpu',
    'cuda', 'mps' ...). `asked` is the user's choice; 'auto' takes the recipe's if the device
    supports it.
    """
    emulated = "bf16" in preferred and not has_bfloat16(device)
    if asked != AUTOMATIC:
        slowly = f", though this {device} has no bfloat16 and emulates it slowly"
        emulates = "bf16" in asked and not has_bfloat16(device)
        return Precision(asked, f"as asked{slowly if emulates else ''}")
    if emulated:
        return Precision(PLAIN, f"since this {device} has no bfloat16 and would emulate it slowly")
    if "bf16" in preferred:
        return Precision(preferred, f"which this {device} computes itself")
    return Precision(preferred, "as the recipe says")


def has_bfloat16(device: str) -> bool:
    """Return whether a kind of device supports bfloat16."""
    if device == "cpu":
        return _processor_has_bfloat16()
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "xla"  # of Apple's, not all do


def _processor_has_bfloat16() -> bool:
    operators: Any = torch.ops.mkldnn
    try:
        return bool(operators._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a torch that was built without oneDNN
        return False
