"""Whole-model gradients and logits in float64: the yardstick for the decoder's forward and backward.

python gradients.py CASE_DIR [--no-double-quant]     writes CASE_DIR/expected/{gradients,logits}.{safetensors,json}
"""
import argparse
import json
import os

import torch
from peft import PeftModel
from safetensors.torch import save_file

from base_model import load_base
from float64 import summed_loss, to_float64


def load_v1(folder, double_quant):
    base = load_base(os.path.join(folder, "base"), double_quant)
    return PeftModel.from_pretrained(base, os.path.join(folder, "v1"), is_trainable=True).eval()


def write_gradients(folder, double_quant):
    """One step's gradient over the first three rows, loss = Σ CE / trained tokens, and the first row's logits."""
    expected = os.path.join(folder, "expected")
    with open(os.path.join(expected, "expected.json"), encoding="utf-8") as f:
        rows = json.load(f)["first_rows"]
    model = to_float64(load_v1(folder, double_quant))
    sums = [summed_loss(model, row["input_ids"], row["labels"]) for row in rows]
    tokens = sum(n for _, n in sums)
    loss = sum(s for s, _ in sums) / tokens
    loss.backward()
    gradients = {name.replace(".default.", "."): p.grad.float() for name, p in model.named_parameters() if p.requires_grad}
    norm = torch.stack([p.grad.norm() for p in model.parameters() if p.requires_grad]).norm()
    save_file(gradients, os.path.join(expected, "gradients.safetensors"))
    with open(os.path.join(expected, "gradients.json"), "w") as f:
        json.dump({"rows": rows, "trained_tokens": tokens, "loss": loss.item(), "grad_norm": norm.item()}, f)
    ids = rows[0]["input_ids"]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0]
    save_file({"logits": logits.float().contiguous(), "input_ids": torch.tensor(ids, dtype=torch.int32)},
              os.path.join(expected, "logits.safetensors"))
    compare_with_f32(load_v1(folder, double_quant), rows, tokens, gradients, logits)


def compare_with_f32(model, rows, tokens, gradients, logits):
    """How far the libraries' own f32 is from the yardstick: a check of float64.py."""
    for row in rows:
        output = model(input_ids=torch.tensor([row["input_ids"]]), labels=torch.tensor([row["labels"]]),
                       num_items_in_batch=torch.tensor(tokens))
        output.loss.backward()
    worst = max(((p.grad - gradients[n.replace(".default.", ".")]).norm() / p.grad.norm()).item()
                for n, p in model.named_parameters() if p.requires_grad)
    with torch.no_grad():
        own = model(input_ids=torch.tensor([rows[0]["input_ids"]])).logits[0]
    difference = (own - logits).abs().max().item()
    print(f"   f32 against f64: gradients to {worst:.1e} relative, logits to {difference:.1e}")
    assert worst < 1e-4 and difference < 1e-4


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case_dir")
    parser.add_argument("--no-double-quant", action="store_true")
    args = parser.parse_args()
    write_gradients(args.case_dir, not args.no_double_quant)
