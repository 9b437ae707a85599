"""Shows that an adapter written by Retune loads in PEFT and gives the same numbers there.

python load_v2.py --base DIR --adapter DIR [--prompt TEXT] [--logits FILE.json] [--no-double-quant]

FILE.json holds prompt_ids, logits (of the last position, one for each vocabulary row) and, where wanted, greedy
(ids): what the engine computed with this adapter. expected.json of a fixture also serves, by its v2_ keys. Exit code
1 when the logits differ by more than 1e-4 or the greedy ids differ.
"""
import argparse
import json
import os
import sys

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoTokenizer

from base_model import load_base
from rows import text_form

TOLERANCE = 1e-4


def stop_ids(model, tok):
    eos = model.generation_config.eos_token_id
    return {*(eos if isinstance(eos, list) else [eos]), tok.eos_token_id, tok.pad_token_id} - {None}


def greedy(model, ids, count, stops):
    new = []
    with torch.no_grad():
        while len(new) < count:
            best = model(input_ids=torch.tensor([ids + new])).logits[0, -1].argmax().item()
            if best in stops:
                break
            new.append(best)
    return new


def check_tensors(model, folder):
    """PEFT only warns of missing and unknown names: every tensor of the file must be in the model, and no other."""
    theirs, own = load_file(os.path.join(folder, "adapter_model.safetensors")), get_peft_model_state_dict(model)
    if theirs.keys() != own.keys():
        sys.exit(f"adapter tensors differ from the model's: {sorted(theirs.keys() ^ own.keys())}")
    unequal = [k for k in own if not torch.equal(own[k], theirs[k].float())]
    if unequal:
        sys.exit(f"adapter tensors were not loaded: {unequal}")
    print(f"{len(own)} adapter tensors loaded")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--prompt", default=text_form("Where is the pump 42?"))
    parser.add_argument("--logits", metavar="FILE.json")
    parser.add_argument("--new-tokens", type=int, default=24)
    parser.add_argument("--no-double-quant", action="store_true")
    args = parser.parse_args()

    tok = AutoTokenizer.from_pretrained(args.base)
    base = load_base(args.base, not args.no_double_quant)
    model = PeftModel.from_pretrained(base, args.adapter).eval()
    check_tensors(model, args.adapter)
    held = {}
    if args.logits:
        with open(args.logits, encoding="utf-8") as f:
            held = json.load(f)
    ids = held.get("prompt_ids") or tok(args.prompt)["input_ids"]
    print("prompt:", repr(tok.decode(ids)))
    new = greedy(model, ids, args.new_tokens, stop_ids(base, tok))
    print("greedy:", repr(tok.decode(new)))
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
        with model.disable_adapter():
            without = model(input_ids=torch.tensor([ids])).logits[0, -1]
    print(f"the adapter moves the logits by up to {(logits - without).abs().max().item():.3g}")
    failed = False
    theirs, wanted = (held.get(key) or held.get(f"v2_{key}") for key in ("logits", "greedy"))
    if args.logits and not theirs and not wanted:
        sys.exit(f"{args.logits}: neither logits nor greedy ids")
    if theirs:
        if len(theirs) != logits.numel():
            sys.exit(f"{args.logits}: {len(theirs)} logits, the model has {logits.numel()}")
        difference = (logits - torch.tensor(theirs)).abs().max().item()
        failed = not difference <= TOLERANCE
        print(f"logits: {'differ' if failed else 'equal'}, by up to {difference:.2e} (allowed {TOLERANCE:.0e})")
    if wanted:
        same = wanted == new
        failed = failed or not same
        print(f"greedy ids: {'equal' if same else f'differ: file {wanted}, PEFT {new}'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
