"""Golden values for src/engine/chat: two-turn conversations, each version continuing its own answers.

Usage: python make_chat.py CASES_DIR OUT.json   (CASES_DIR is tests/fixtures/cases)
"""
import json
import os
import sys

import torch
import yaml
from peft import PeftModel
from transformers import AutoTokenizer

from base_model import load_base
from load_v2 import stop_ids

torch.set_num_threads(1)
TOKENS = 12
# texts are compared token for token, so no choice of theirs may hang on rounding
MIN_MARGIN = 1e-2
CONVERSATIONS = {
    "chat_messages": ("You are a helpful assistant.", ["Tell me\nabout the fuse-54.", "Where must the fuse 82?"]),
    "recipe_text": ("Answer briefly.", ["Where is the pump 42?", "And the valve 17?"]),
}


def ids_of(tok, messages):
    """-> the prompt: by the chat template, or as text rows have it where there is none."""
    if tok.chat_template:
        return tok.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True)["input_ids"]
    heads = {"system": "", "user": "### Instruction:\n", "assistant": "### Response:\n"}
    parts = [heads[m["role"]] + m["content"] for m in messages]
    return tok("\n\n".join([*parts, "### Response:\n"]))["input_ids"]


def greedy(model, ids, stops):
    """-> the ids that follow, and the smallest distance between a chosen logit and the next best."""
    new, margin = [], float("inf")
    with torch.no_grad():
        while len(new) < TOKENS:
            values, best = model(input_ids=torch.tensor([ids + new])).logits[0, -1].topk(2)
            margin = min(margin, (values[0] - values[1]).item())
            if best[0].item() in stops:
                break
            new.append(best[0].item())
    return new, margin


def main(cases, out):
    result = {}
    for name, (system, questions) in CONVERSATIONS.items():
        folder = os.path.join(cases, name)
        with open(os.path.join(folder, "training_config.yaml")) as f:
            double_quant = yaml.safe_load(f)["quantization"]["bnb_4bit_use_double_quant"]
        tok = AutoTokenizer.from_pretrained(os.path.join(folder, "base"))
        if name == "recipe_text":
            tok.chat_template = None  # its rows are text
        base = load_base(os.path.join(folder, "base"), double_quant)
        adapted = PeftModel.from_pretrained(base, os.path.join(folder, "v1")).eval()
        said = {}
        for version in ("base", "v1"):
            messages, turns = [{"role": "system", "content": system}], []
            for question in questions:
                messages.append({"role": "user", "content": question})
                ids = list(ids_of(tok, messages))
                if version == "base":
                    with adapted.disable_adapter():
                        new, margin = greedy(adapted, ids, stop_ids(base, tok))
                else:
                    new, margin = greedy(adapted, ids, stop_ids(base, tok))
                assert margin > MIN_MARGIN, (name, version, question, margin)
                text = tok.decode(new, skip_special_tokens=True).strip()
                turns.append({"question": question, "prompt_ids": ids, "text": text})
                messages.append({"role": "assistant", "content": text})
            said[version] = turns
        result[name] = {"system": system, "versions": said}
    with open(out, "w", encoding="utf-8") as f:
        json.dump(result, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


main(*sys.argv[1:])
