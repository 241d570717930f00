"""What the kernels of the engines ask of the compiler beyond Python: sums of products rounded once, rows that cost nothing."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array


def _fma(_typing: Any, a: Any, b: Any, c: Any) -> Any:
    if not a == b == c:
        raise TypeError(f"a product and a sum of one type, not of {a}, {b} and {c}")

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        real = values[0].type
        return builder.call(builder.module.declare_intrinsic("llvm.fmuladd", [real], ir.FunctionType(real, [real] * 3)), values)

    return a(a, b, c), generate


fma: Any = intrinsic(_fma)
"""``fma(a, b, c)`` is ``a * b + c``, rounded once where the processor can: the same bits in a loop's vectors as in its rest."""


def _part(array: Any, leading: int) -> Any:
    """Return signature and code of what makes a row from an array in C order, ``leading`` indices, a begin and an end."""
    if array.ndim != leading + 1 or array.layout != "C":
        raise TypeError(f"a row of an array of {leading + 1} dimensions in C order, not of {array}")
    row = types.Array(array.dtype, 1, "C")

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        source, made = context.make_array(array)(context, builder, value=values[0]), context.make_array(row)(context, builder)
        *indices, begin, end = values[1:]
        shape: Any = cgutils.unpack_tuple(builder, source.shape)  # type: ignore[no-untyped-call]
        place = ir.Constant(begin.type, 0)
        for index, length in zip((*indices, begin), shape, strict=True):
            place = builder.add(builder.mul(place, length), index)
        data, count = builder.gep(source.data, [place]), builder.sub(end, begin)
        populate_array(made, data, [count], [source.itemsize], source.itemsize, None)  # type: ignore[no-untyped-call]
        return made._getvalue()

    return row(array, *([types.intp] * (leading + 2))), generate


def _part1(_typing: Any, array: Any, a: Any, b: Any) -> Any:
    return _part(array, 0)


def _part2(_typing: Any, array: Any, i: Any, a: Any, b: Any) -> Any:
    return _part(array, 1)


def _part3(_typing: Any, array: Any, v: Any, i: Any, a: Any, b: Any) -> Any:
    return _part(array, 2)


def _part4(_typing: Any, array: Any, u: Any, v: Any, i: Any, a: Any, b: Any) -> Any:
    return _part(array, 3)


part1: Any = intrinsic(_part1)
"""``part1(row, a, b)`` is ``row[a:b]`` for ``0 <= a <= b <= len(row)``: neither checked nor counted.

Python's slices allow for negative bounds and count who uses the array, which takes as long as a hundred cells and three times as
long to compile. The array must outlive its parts: those of arguments do, and those made within a kernel do until named last.
"""
part2: Any = intrinsic(_part2)
"""``part2(field, i, a, b)`` is ``field[i, a:b]`` like that."""
part3: Any = intrinsic(_part3)
part4: Any = intrinsic(_part4)
"""``part3(fields, v, i, a, b)`` is ``fields[v, i, a:b]``, and ``part4`` has one index more."""
