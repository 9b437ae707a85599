"""llama.cpp's own quantizer (llama_model_quantize of the library that npm's node-llama-cpp brings, called by ctypes) and
errors of what it and "retune export" make of the same weights, as PyPI's gguf decodes them.

    npm ci --prefix tests/llama --ignore-scripts
    python tests/reference/llama_quantize.py F32.gguf OURS_Q4_K_M.gguf     # needs numpy, gguf

prints each difference in the tensors' types, and by how much the errors differ.
"""

import ctypes
import sys
import tempfile
from pathlib import Path

import numpy as np
from gguf import GGUFReader, quants

LIBRARIES = Path(__file__).resolve().parents[1] / "llama/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"
Q4_K_M = 15


class Params(ctypes.Structure):
    """llama_model_quantize_params."""

    _fields_ = [
        ("nthread", ctypes.c_int32),
        ("ftype", ctypes.c_int),
        ("output_tensor_type", ctypes.c_int),
        ("token_embedding_type", ctypes.c_int),
        *[
            (name, ctypes.c_bool)
            for name in (
                "allow_requantize",
                "quantize_output_tensor",
                "only_copy",
                "pure",
                "keep_split",
                "dry_run",
            )
        ],
        *[
            (name, ctypes.c_void_p)
            for name in ("imatrix", "kv_overrides", "tt_overrides", "prune_layers")
        ],
    ]


def quantize(source, target, ftype=Q4_K_M):
    """Writes `source`, a GGUF file in f32, quantized by llama.cpp."""
    for name in ("libggml-base.so", "libggml.v0.5.0.so"):
        ctypes.CDLL(str(LIBRARIES / name), mode=ctypes.RTLD_GLOBAL)
    llama = ctypes.CDLL(str(LIBRARIES / "libllama.v0.5.0.so"))
    llama.llama_model_quantize_default_params.restype = Params
    llama.llama_model_quantize.restype = ctypes.c_uint32
    log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    llama.llama_log_set(log, None)
    params = llama.llama_model_quantize_default_params()
    params.nthread = 1
    params.ftype = ftype
    if llama.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) != 0:
        raise RuntimeError(f"llama.cpp cannot quantize {source}")


def tensors_of(path):
    """Each tensor's type and values, by name."""
    return {
        tensor.name: (tensor.tensor_type.name, quants.dequantize(tensor.data, tensor.tensor_type))
        for tensor in GGUFReader(path).tensors
    }


def error_of(values, exact):
    """Root of the mean squared error."""
    off = values.astype(np.float64).reshape(-1) - exact.astype(np.float64).reshape(-1)
    return float(np.sqrt(np.mean(off**2)))


def main():
    source, ours = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        theirs = Path(folder) / "theirs.gguf"
        quantize(source, theirs)
        exact, found, expected = tensors_of(source), tensors_of(ours), tensors_of(theirs)
    different = [name for name in expected if found[name][0] != expected[name][0]]
    for name in different:
        print(name, "is", found[name][0], "and by llama.cpp", expected[name][0])
    ratios = {
        name: error_of(found[name][1], values) / error_of(expected[name][1], values)
        for name, (_, values) in exact.items()
        if error_of(expected[name][1], values) > 0
    }
    worst = max(ratios, key=ratios.get)
    types = sorted({kind for kind, _ in expected.values()})
    print(f"{len(expected)} tensors ({', '.join(types)}), {len(different)} of other types")
    print(f"error / llama.cpp's: mean {np.mean(list(ratios.values())):.4f}, largest {ratios[worst]:.4f} ({worst})")


if __name__ == "__main__":
    main()
