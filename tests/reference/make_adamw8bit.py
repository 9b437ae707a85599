"""Optimizer fixtures: seeded gradients through AdamW8bit, with the state after some steps.

python make_adamw8bit.py check FILE     replay FILE's gradients (lr 2e-3, no decay) and compare with what it holds
python make_adamw8bit.py decay FILE     write 10 steps with weight decay 0.5 and one step of non-finite gradients
"""
import sys

import torch
from safetensors.torch import load_file, save_file

from adamw8bit import AdamW8bit

LR = 2e-3
DECAY = 0.5
NON_FINITE_STEP = 6


def record(out, name, t, p, state):
    out[f"{name}.param.{t}"] = p.detach().clone()
    if "m_code" in state:
        for key in ("m_code", "v_code"):
            out[f"{name}.{key}.{t}"] = state[key].to(torch.uint8)
        for key in ("m_absmax", "v_absmax"):
            out[f"{name}.{key}.{t}"] = state[key].clone()
    else:
        out[f"{name}.m.{t}"], out[f"{name}.v.{t}"] = state["m"].clone(), state["v"].clone()


def run(start, gradients, keep, weight_decay):
    """start: name -> tensor; gradients: one dict per step; -> the record after each step in keep."""
    params = {k: torch.nn.Parameter(v.clone()) for k, v in start.items()}
    optimizer = AdamW8bit(list(params.values()), lr=LR, weight_decay=weight_decay)
    out = {}
    for t, grads in enumerate(gradients, 1):
        for name, p in params.items():
            p.grad = grads[name]
        optimizer.step()
        if t in keep:
            for name, p in params.items():
                record(out, name, t, p, optimizer.state[p])
    return out


def make_decay(path):
    torch.manual_seed(20)
    shapes = {"big": (67, 67), "small": (9, 31)}
    start = {k: torch.randn(s) * 0.1 for k, s in shapes.items()}
    steps = []
    for t in range(1, 11):
        # rows of very different size, as LoRA gradients are, so that blocks reach the maps' small codes
        grads = {k: torch.randn(s) * torch.logspace(-5, -1, s[0]).unsqueeze(1) for k, s in shapes.items()}
        if t == NON_FINITE_STEP:
            flat = grads["big"].view(-1)
            flat[torch.randperm(flat.numel())[:40]] = float("nan")
            flat[7], flat[4488], flat[300] = float("inf"), float("-inf"), float("nan")
        steps.append(grads)
    out = run(start, steps, {1, NON_FINITE_STEP, NON_FINITE_STEP + 1, 10}, DECAY)
    out.update({f"{k}.param.0": v for k, v in start.items()})
    out.update({f"{k}.grad.{t}": g[k] for t, g in enumerate(steps, 1) for k in shapes})
    save_file(out, path, metadata={"lr": str(LR), "weight_decay": str(DECAY), "betas": "0.9,0.999", "eps": "1e-8"})


def check(path):
    held = load_file(path)
    names = sorted({k.split(".")[0] for k in held})
    total = max(int(k.rsplit(".", 1)[1]) for k in held)
    gradients = [{n: held[f"{n}.grad.{t}"] for n in names} for t in range(1, total + 1)]
    keep = {int(k.rsplit(".", 1)[1]) for k in held if ".param." in k} - {0}
    got = run({n: held[f"{n}.param.0"] for n in names}, gradients, keep, 0.0)
    for key in sorted(got):
        a, b = got[key].flatten(), held[key].flatten()
        if a.dtype == torch.uint8:
            print(f"{key}: {(a != b).sum().item()} of {a.numel()} codes differ")
        else:
            print(f"{key}: largest difference {(a - b).abs().max().item():.2e}")


if __name__ == "__main__":
    {"check": check, "decay": make_decay}[sys.argv[1]](sys.argv[2])
