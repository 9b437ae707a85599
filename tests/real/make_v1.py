"""V1: a LoRA adapter by transformers, PEFT and bitsandbytes (NF4 and 8-bit AdamW on the CPU), one epoch of v1.jsonl.

python make_v1.py FOLDER [--steps N]

Reads FOLDER/base, v1.jsonl and training_config.yaml; writes FOLDER/v1.
"""
import argparse
import json
import sys
from pathlib import Path

import torch
import yaml
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, Trainer, TrainingArguments

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reference"))
from rows import Rows, collate, encode  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=-1, help="optimizer steps (default: an epoch)")
    options = parser.parse_args()
    folder = options.folder
    recipe = yaml.safe_load((folder / "training_config.yaml").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    lines = (folder / "v1.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [encode(tokenizer, json.loads(line), recipe["training"]["max_seq_length"]) for line in lines]
    model = AutoModelForCausalLM.from_pretrained(
        folder / "base",
        dtype=torch.float32,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        ),
        device_map={"": "cpu"},
    )
    model.config.use_cache = False
    torch.manual_seed(0)
    lora = recipe["lora"]
    model = get_peft_model(model, LoraConfig(
        r=lora["r"], lora_alpha=lora["lora_alpha"], lora_dropout=lora["lora_dropout"],
        target_modules=lora["target_modules"], bias="none", task_type="CAUSAL_LM",
    ))
    model.peft_config["default"].base_model_name_or_path = recipe["model"]["name"]
    arguments = TrainingArguments(
        output_dir=str(folder / "v1-trainer"), use_cpu=True, per_device_train_batch_size=8, num_train_epochs=1,
        max_steps=options.steps, learning_rate=1e-3, lr_scheduler_type="cosine", optim="paged_adamw_8bit", logging_steps=1,
        save_strategy="no", seed=42, report_to=[], disable_tqdm=True, remove_unused_columns=False,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=Rows(rows), data_collator=collate)
    trainer.train()
    model.save_pretrained(folder / "v1")


if __name__ == "__main__":
    main()
