"""The compiled library and its functions."""

import ctypes
from pathlib import Path

P, N, D = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


class CSource(ctypes.Structure):
    """`Source` of net.h."""

    _fields_ = (
        ("data", P), ("is_bytes", N), ("num", N), ("by_n", N), ("by_t", N), ("by_d", N),
        ("rows", P), ("num_rows", N), ("scale", D), ("shift", D),
    )  # fmt: skip


class CRule(ctypes.Structure):
    """`Rule` of rules.h."""

    _fields_ = (
        ("name", N), ("beta1", D), ("beta2", D), ("eps", D), ("momentum", D), ("dampening", D),
        ("alpha", D), ("nesterov", N), ("centered", N), ("clip_norm", D),
    )  # fmt: skip


_FUNCTIONS: dict[str, tuple[type | None, list[type]]] = {
    "native_lanes": (N, []),
    "native_new": (P, [N, N, N, N, N, N, N, P, P]),
    "native_free": (None, [P]),
    "native_gradients": (N, [P, P, P, N, N, P, P, P, P]),
    "native_gradient": (P, [P, N]),
    "native_update": (None, [P, P, N, D, P, P, P]),
    "native_outputs": (N, [P, P, N, N, P]),
    "native_function": (None, [N, N, P, P]),
    "native_lerp_forward": (None, [N, N, N, N, N, P, P, P]),
    "native_lerp_backward": (None, [N, N, N, N, N, P, P, P, P, N, P]),
    "native_gated_forward": (None, [P, P, P]),
    "native_gated_backward": (None, [P, P, P, P, P, N, P, P, P]),
    "native_linear_forward": (None, [N, N, N, P, P, P]),
    "native_linear_backward": (None, [N, N, N, P, P, P, P, P, P]),
    "native_hgrn_forward": (None, [P, P, P, P, P]),
    "native_hgrn_backward": (None, [P, P, P, P, P, P, P]),
    "native_slstm_forward": (None, [P] * 10),
    "native_slstm_backward": (None, [P] * 13),
}


class Library:
    """A compiled library, loaded. Its functions run without Python's global lock.

    Attributes:
        lanes: floats of a vector: 16 with AVX-512, 8 with AVX2, else 4.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.functions = path, ctypes.CDLL(str(path))
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self.functions, name)
            function.restype, function.argtypes = result, arguments
        self.lanes = int(self.functions.native_lanes())
