"""Blocks of llama.cpp's own quantizers (ggml_quantize_chunk of the library that npm's node-llama-cpp brings, called by
ctypes), with their values as PyPI's gguf decodes them, for tests/unit/export/quants.test.ts.

    npm ci --prefix tests/llama --ignore-scripts
    python tests/reference/make_quants.py     # needs numpy, gguf, safetensors

Made with node-llama-cpp 3.22.1 and gguf 0.19.
"""

import ctypes
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, quants
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "llama/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/libggml-base.so"
TYPES = ["Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
BLOCKS = 12


def inputs():
    """Super-blocks of 256: weights of usual sizes, some with outliers, one-sided, sparse, constant and zero."""
    random = np.random.default_rng(7)
    x = random.normal(0, 0.05, (BLOCKS, 256))
    x[3] = random.laplace(0, 0.02, 256)
    x[4, ::31] *= 20
    x[5] = np.abs(x[5])
    x[6] = -np.abs(x[6]) - 0.01
    x[7, random.random(256) < 0.9] = 0
    x[8] = 0.25
    x[9] = 0
    x[10] *= 1e-6
    x[11, :128] = 0
    return x.astype(np.float32)


def main():
    ggml = ctypes.CDLL(str(LIBRARY))
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    x = inputs()
    tensors = {"x": x}
    for name in TYPES:
        kind = GGMLQuantizationType[name]
        out = np.zeros(x.size * 4, dtype=np.uint8)
        size = ggml.ggml_quantize_chunk(
            ctypes.c_int(int(kind)),
            x.ctypes.data_as(ctypes.c_void_p),
            out.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int64(0),
            ctypes.c_int64(BLOCKS),
            ctypes.c_int64(256),
            None,
        )
        blocks = out[:size].copy()
        tensors[name] = blocks
        decoded = quants.dequantize(blocks, kind).reshape(x.shape)
        tensors[f"{name}_values"] = decoded.astype(np.float32)
        print(name, size, np.sqrt(((decoded - x) ** 2).sum(1)))
    save_file(tensors, ROOT / "fixtures/export/quants.safetensors")


main()
