"""Merged weights of PEFT's merge_and_unload, for tests/unit/export/merged.test.ts: the first rows of every adapted
module, with the base loaded in f32 ("f32/…"), in its own dtype ("own/…") and, for one case, with its weights first
quantized to NF4 and back by bitsandbytes ("nf4/…").

    OMP_NUM_THREADS=1 python tests/reference/make_merged.py

Made with torch 2.15, transformers 5.24, peft 0.21, bitsandbytes 0.50 on the CPU.
"""

from pathlib import Path

import bitsandbytes.functional as bnb
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[1] / "fixtures"
ROWS = 4
CASES = ["batch2", "dynamic", "llama_sharded", "prequant", "qwen3", "rank_pattern", "untied_head"]


def load(folder, dtype):
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=dtype, device_map="cpu")
    if getattr(model, "is_quantized", False):
        for module in model.modules():
            state = getattr(getattr(module, "weight", None), "quant_state", None)
            if state is not None and dtype is torch.float32:
                state.dtype = dtype
        model = model.dequantize()
        model = model.float() if dtype is torch.float32 else model
    return model


def nf4(model):
    """Every adapted weight as training sees it."""
    for name, module in model.named_modules():
        if name.endswith("_proj"):
            packed, state = bnb.quantize_4bit(module.weight.data, quant_type="nf4", compress_statistics=True, blocksize=64)
            module.weight.data = bnb.dequantize_4bit(packed, state)
    return model


def is_right(folder, name, module):
    """bitsandbytes 0.50 on the CPU takes the wrong scales where a row is no multiple of a block of 64."""
    stored = load_file(next((folder / "base").glob("*.safetensors")))
    return f"{name}.weight.absmax" not in stored or module.in_features % 64 == 0


def merged(folder, dtype, change=lambda model: model):
    model = PeftModel.from_pretrained(change(load(folder, dtype)), folder / "v1")
    names = [(n.removeprefix("base_model.model."), m) for n, m in model.named_modules() if hasattr(m, "lora_A")]
    adapted = [n for n, m in names if is_right(folder, n, m)]
    weights = dict(model.merge_and_unload().named_parameters())
    return {f"{name}.weight": weights[f"{name}.weight"].data[:ROWS].contiguous().clone() for name in adapted}


def main():
    out = ROOT / "export"
    out.mkdir(exist_ok=True)
    for case in CASES:
        folder = ROOT / "cases" / case
        tensors = {}
        kinds = [("f32", torch.float32, lambda m: m), ("own", "auto", lambda m: m)]
        if case == "batch2":
            kinds.append(("nf4", torch.float32, nf4))
        for kind, dtype, change in kinds:
            for name, tensor in merged(folder, dtype, change).items():
                tensors[f"{kind}/{name}"] = tensor
        save_file(tensors, out / f"merged_{case}.safetensors")
        print(case, sum(t.numel() * t.element_size() for t in tensors.values()), {t.dtype for t in tensors.values()})


main()
