"""What the kernels of the engines ask of the compiler beyond Python: sums of products rounded once, arrays that are not counted."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.extending import intrinsic


def _fma(_typing: Any, a: Any, b: Any, c: Any) -> Any:
    if not a == b == c:
        raise TypeError(f"a product and a sum of one type, not of {a}, {b} and {c}")

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        real = values[0].type
        return builder.call(builder.module.declare_intrinsic("llvm.fmuladd", [real], ir.FunctionType(real, [real] * 3)), values)

    return a(a, b, c), generate


fma: Any = intrinsic(_fma)
"""``fma(a, b, c)`` is ``a * b + c``, rounded once where the processor can: the same bits in a loop's vectors as in its rest."""


def _uncounted(_typing: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, value=values[0])
        made.meminfo, made.parent = ir.Constant(made.meminfo.type, None), ir.Constant(made.parent.type, None)
        return made._getvalue()

    return array(array), generate


uncounted: Any = intrinsic(_uncounted)
"""``uncounted(array)`` is the same array without a count of who uses it, for a kernel that outlives none of its arrays: counting
every slice that is handed to a row function takes as long as a hundred cells."""
