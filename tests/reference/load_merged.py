"""Shows that a merged folder written by Retune loads in transformers, with the numbers of base and adapter.

python load_merged.py MERGED EXPECTED.json

MERGED is the V1 of a case, exported in f32 onto the base's NF4 values; EXPECTED.json is the case's expected.json.
"""
import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from load_v2 import TOLERANCE, greedy, stop_ids

merged, file = sys.argv[1:]
with open(file, encoding="utf-8") as f:
    expected = json.load(f)
model, loading = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32, output_loading_info=True)
tok = AutoTokenizer.from_pretrained(merged)
assert not any(loading.values()), loading
ids = expected["prompt_ids"]
with torch.no_grad():
    logits = model.eval()(input_ids=torch.tensor([ids])).logits[0, -1]
difference = (logits - torch.tensor(expected["v1_logits"])).abs().max().item()
new = greedy(model, ids, len(expected["v1_greedy"]) or 24, stop_ids(model, tok))
print(f"{merged}: logits differ by up to {difference:.2e} (allowed {TOLERANCE:.0e}), answer {tok.decode(new)!r}")
sys.exit(0 if difference <= TOLERANCE and new == expected["v1_greedy"] else 1)
