"""`photochrom methods`."""

import json
from typing import Annotated

from cyclopts import Parameter


def methods(*, json_output: Annotated[bool, Parameter(name="--json", negative=())] = False) -> None:
    """List the methods that can colour a photograph.

    Parameters
    ----------
    json_output : bool
        Print the methods as one JSON object.
    """
    from photochrom.colorization.catalogue import CATALOGUE, load_method

    found = {name: load_method(name).info for name in CATALOGUE}
    if json_output:
        tables = {n: {**i.to_table(), "centres": len(i.centres)} for n, i in found.items()}
        print(json.dumps(tables, indent=2))
        return
    for name, info in found.items():
        print(f"{name:12}  {info.paper}")
        needs = f"; requires: {', '.join(info.requires)}" if info.requires else ""
        print(f"{'':12}  accepts: {', '.join(info.accepts) or 'nothing more'}{needs}")
        weights = f"; weights {info.weights_sha256[:16]}" if info.weights_sha256 else ""
        print(f"{'':12}  licence: {info.licence}{weights}")
    print("The path of an exported network (.onnx) can be used as a method too.")
