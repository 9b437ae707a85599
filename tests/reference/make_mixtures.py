"""Which type llama.cpp gives each weight in q4_k_m, and the errors of its blocks, for
tests/unit/export/mixtures.test.ts: models of several shapes quantized by llama.cpp itself (see llama_quantize.py).

    npm ci --prefix tests/llama --ignore-scripts
    python tests/reference/make_mixtures.py     # needs numpy, gguf

Made with node-llama-cpp 3.22.1 (llama.cpp v0.5.0) and gguf 0.19.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from llama_quantize import error_of, quantize, tensors_of

OUT = Path(__file__).resolve().parents[1] / "fixtures/export/mixtures.json"

# The model of width 256 and 512 is compared by its blocks, too.
MODELS = {
    "qwen2-256": dict(family="qwen2", layers=2, hidden=256, intermediate=512, heads=4, kv_heads=2, tied=True),
    "llama-untied": dict(family="llama", layers=9, hidden=256, intermediate=512, heads=4, kv_heads=4, tied=False),
    "qwen3-320": dict(family="qwen3", layers=3, hidden=320, intermediate=512, heads=5, kv_heads=1, tied=True),
    "llama-480": dict(family="llama", layers=17, hidden=256, intermediate=480, heads=4, kv_heads=1, tied=True),
    "qwen2-0.5b-like": dict(family="qwen2", layers=24, hidden=128, intermediate=256, heads=2, kv_heads=1, tied=True),
    "qwen2-1.5b-like": dict(family="qwen2", layers=28, hidden=256, intermediate=256, heads=4, kv_heads=1, tied=False),
    "llama-70b-like": dict(family="llama", layers=80, hidden=256, intermediate=256, heads=4, kv_heads=1, tied=False),
    "llama-65b-like": dict(family="llama", layers=80, hidden=256, intermediate=256, heads=4, kv_heads=4, tied=False),
    "qwen2-72b-like": dict(family="qwen2", layers=80, hidden=192, intermediate=256, heads=3, kv_heads=3, tied=False),
    "qwen3-80": dict(family="qwen3", layers=80, hidden=256, intermediate=256, heads=4, kv_heads=1, tied=True),
}
WITH_ERRORS = "qwen2-256"
VOCABULARY = 448
HEAD_DIM = 64


def hashed(n, seed):
    """32 bits for each of n positions: murmur3's finalizer."""
    h = (np.arange(n, dtype=np.uint64) * 2 + seed * 0x9E3779B9).astype(np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    return h


def weights(n, seed):
    """Values about as normal weights have them; sums of four uniform ones, exact in f32, in steps of 2^-22."""
    a, b = hashed(n, 2 * seed), hashed(n, 2 * seed + 1)
    low, high = np.uint32(0xFFFF), np.uint32(16)
    total = sum(part.astype(np.int64) for part in (a & low, a >> high, b & low, b >> high)) - 131070
    return (total * 2.0**-22).astype(np.float32)


def shapes(layers, hidden, intermediate, heads, kv_heads, tied, **_):
    """Rows and columns of each weight of two dimensions, in the order of their seeds."""
    kv = kv_heads * HEAD_DIM
    yield "token_embd", (VOCABULARY, hidden)
    if not tied:
        yield "output", (VOCABULARY, hidden)
    for layer in range(layers):
        for name, shape in {
            "attn_q": (heads * HEAD_DIM, hidden),
            "attn_k": (kv, hidden),
            "attn_v": (kv, hidden),
            "attn_output": (hidden, heads * HEAD_DIM),
            "ffn_gate": (intermediate, hidden),
            "ffn_up": (intermediate, hidden),
            "ffn_down": (hidden, intermediate),
        }.items():
            yield f"blk.{layer}.{name}", shape


def write(path, model, with_values):
    family, layers, hidden = model["family"], model["layers"], model["hidden"]
    out = GGUFWriter(path, family)
    out.add_block_count(layers)
    out.add_context_length(512)
    out.add_embedding_length(hidden)
    out.add_feed_forward_length(model["intermediate"])
    out.add_head_count(model["heads"])
    out.add_head_count_kv(model["kv_heads"])
    out.add_key_length(HEAD_DIM)
    out.add_value_length(HEAD_DIM)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_rope_dimension_count(HEAD_DIM)
    out.add_vocab_size(VOCABULARY)
    out.add_tokenizer_model("no_vocab")
    out.add_file_type(0)
    for seed, (name, shape) in enumerate(shapes(**model)):
        values = weights(shape[0] * shape[1], seed) if with_values else np.zeros(shape[0] * shape[1], np.float32)
        out.add_tensor(f"{name}.weight", values.reshape(shape))
    one = np.ones(hidden, np.float32)
    out.add_tensor("output_norm.weight", one)
    for layer in range(layers):
        out.add_tensor(f"blk.{layer}.attn_norm.weight", one)
        out.add_tensor(f"blk.{layer}.ffn_norm.weight", one)
        if family == "qwen2":
            for part, heads in (("q", model["heads"]), ("k", model["kv_heads"]), ("v", model["kv_heads"])):
                out.add_tensor(f"blk.{layer}.attn_{part}.bias", np.ones(heads * HEAD_DIM, np.float32))
        if family == "qwen3":
            for part in "qk":
                out.add_tensor(f"blk.{layer}.attn_{part}_norm.weight", np.ones(HEAD_DIM, np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def main():
    found = {}
    for name, model in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "f32.gguf", Path(folder) / "q4_k_m.gguf"
            write(source, model, name == WITH_ERRORS)
            quantize(source, target)
            tensors = tensors_of(target)
            exact = tensors_of(source) if name == WITH_ERRORS else {}
        types = {}
        for tensor, _ in shapes(**model):
            # By what a weight does, in the order of the layers.
            role = tensor.split(".")[-1]
            types.setdefault(role, []).append(tensors[f"{tensor}.weight"][0])
        # One type stands for all layers.
        brief = {role: " ".join(kinds[:1] if len(set(kinds)) == 1 else kinds) for role, kinds in types.items()}
        found[name] = {**model, "types": brief}
        if exact:
            found[name]["errors"] = {
                tensor: error_of(tensors[f"{tensor}.weight"][1], exact[f"{tensor}.weight"][1])
                for tensor, _ in shapes(**model)
            }
        print(name, {role: sorted(set(kinds)) for role, kinds in types.items()})
    OUT.write_text(json.dumps(found, indent=2) + "\n")


main()
