"""What transformers and bitsandbytes make of 4-bit checkpoints: python make_base_fixtures.py ../fixtures/formats

skip_modules.json: which modules stay in 16 bits by which entry of llm_int8_skip_modules. storage.safetensors: one
weight quantized by bitsandbytes, its codes typed as each bnb_4bit_quant_storage that BitsAndBytesConfig takes.

Made with torch 2.15, transformers 5.24, bitsandbytes 0.50.
"""
import json
import sys

import bitsandbytes as bnb
import torch
from safetensors.torch import save_file
from transformers.quantizers.quantizers_utils import should_convert_module

PATTERNS = [
    "lm_head", "model.layers.1", "model.layers.1.", "layers.1", "model.layers.1.self_attn", "model.layers.1.mlp.up_proj",
    "up_proj", "proj", "j", "", "model", "model.layers.*", r"model\.layers\.\d+\.mlp", "model.layers.[13]", "mlp.gate",
    "1.self_attn.q_proj", "model.layers.1.self_attn.q", "model.layers.1|model.layers.11", "layers", "MODEL.LAYERS.1",
    r".*\.down_proj", r".*down", "model.layers.1.self_attn.q_proj.weight", "model.layers.1$",
    r"model\.layers\.(?!1\.)", r"(?:.*)\.1\b",
]
NAMES = [f"model.layers.{i}.{part}" for i in (0, 1, 11)
         for part in ("self_attn.q_proj", "mlp.up_proj", "mlp.down_proj", "mlp.gate_proj")]


def skip_modules():
    return {"names": NAMES, "kept": {p: [n for n in NAMES if not should_convert_module(n, [p])] for p in PATTERNS}}


def storage():
    torch.manual_seed(7)
    weight = torch.randn(48, 32) * 0.05
    tensors = {}
    for name in ("uint8", "int8", "bfloat16", "float16", "float32", "float64"):
        linear = bnb.nn.Linear4bit(32, 48, bias=False, quant_type="nf4", quant_storage=getattr(torch, name))
        linear.load_state_dict({"weight": weight.bfloat16()})
        linear.to("cpu")
        tensors.update({f"{name}.{key}": value.contiguous() for key, value in linear.state_dict().items()})
    return tensors


if __name__ == "__main__":
    out = sys.argv[1]
    with open(out + "/skip_modules.json", "w") as f:
        json.dump(skip_modules(), f)
    save_file(storage(), out + "/storage.safetensors")
