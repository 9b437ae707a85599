"""Losses of packed runs by TRL's SFTTrainer, for tests/gpu/run/packed.test.ts.

Usage: python make_packed.py ../fixtures/packed.json   (pip install torch transformers peft trl; made with TRL 1.16, transformers 5.24)

Bases, adapters and rows are those of tests/fixtures/cases. SFTTrainer packs the rows (strategy bfd) and hands the model
positions that begin anew with each row, and no attention mask: from these transformers makes the mask that keeps the rows
apart, with PyTorch's own attention ("sdpa") as with FlashAttention. The optimizer and the NF4-rounded base are those of
make_cases.py.
"""
import json
import os
import sys
import tempfile

import torch
import transformers
import trl
import yaml
from datasets import Dataset
from peft import PeftModel
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer

from adamw8bit import AdamW8bit
from base_model import load_base
from rows import encode, has_trained_token

torch.set_num_threads(2)
CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "cases")
# What is changed in a case's recipe.
RUNS = {
    "chat_messages": dict(max_seq_length=256, num_train_epochs=1, gradient_accumulation_steps=2),
    "batch2": dict(max_seq_length=128, num_train_epochs=2, gradient_accumulation_steps=2),
}


def run(case, changes):
    path = lambda *parts: os.path.join(CASES, case, *parts)
    with open(path("training_config.yaml")) as f:
        config = yaml.safe_load(f)
    recipe, quant = {**config["training"], **changes}, config["quantization"]
    tok = AutoTokenizer.from_pretrained(path("base"))
    with open(path("train.jsonl"), encoding="utf-8") as f:
        encoded = [encode(tok, json.loads(line), recipe["max_seq_length"]) for line in f]
    rows = [dict(input_ids=ids, completion_mask=[int(label != -100) for label in labels])
            for ids, labels in encoded if has_trained_token((ids, labels))]
    base = load_base(path("base"), quant["bnb_4bit_use_double_quant"])
    model = PeftModel.from_pretrained(base, path("v1"), is_trainable=True)
    optimizer = AdamW8bit([p for p in model.parameters() if p.requires_grad], lr=recipe["learning_rate"],
                          weight_decay=recipe["weight_decay"])
    same = ("per_device_train_batch_size", "gradient_accumulation_steps", "num_train_epochs", "lr_scheduler_type",
            "weight_decay", "max_grad_norm", "learning_rate")
    with tempfile.TemporaryDirectory() as out:
        args = SFTConfig(output_dir=out, use_cpu=True, bf16=False, packing=True, packing_strategy="bfd",
                         max_length=recipe["max_seq_length"], completion_only_loss=True, logging_steps=1, seed=config["seed"],
                         warmup_steps=recipe["warmup_ratio"], save_strategy="no", report_to=[], disable_tqdm=True,
                         gradient_checkpointing=False, logging_nan_inf_filter=False, **{k: recipe[k] for k in same})
        trainer = SFTTrainer(model=model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tok,
                             optimizers=(optimizer, None))
        trainer.train()
        batch = next(iter(trainer.get_train_dataloader()))
        assert "attention_mask" not in batch and (batch["position_ids"] == 0).sum() > 1, batch
    keys = ("step", "epoch", "loss", "grad_norm", "learning_rate")
    log = [{key: entry[key] for key in keys} for entry in trainer.state.log_history if "loss" in entry]
    return dict(case=case, changes=changes, sequences=len(trainer.train_dataset), rows=len(rows), log=log)


runs = [run(case, changes) for case, changes in RUNS.items()]
for r in runs:
    print(r["case"], r["rows"], "rows in", r["sequences"], [round(e["loss"], 4) for e in r["log"]])
with open(sys.argv[1], "w") as f:
    json.dump({"trl": trl.__version__, "transformers": transformers.__version__, "runs": runs}, f, indent=1)
    f.write("\n")
