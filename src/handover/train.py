"""Continues a LoRA adapter over a 4-bit base: a recipe of Retune, run by transformers and PEFT.

accelerate launch --config_file accelerate/one-gpu.yaml train.py [--base FOLDER_OR_NAME] [--output FOLDER]
"""
import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import pyarrow.parquet
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig, Trainer, TrainingArguments

HERE = Path(__file__).resolve().parent
HANDOVER = json.loads((HERE / "handover.json").read_text(encoding="utf-8"))
PROCESSES = int(os.environ.get("WORLD_SIZE", 1))
FSDP = os.environ.get("ACCELERATE_USE_FSDP") == "true"
BLANK = {"input_ids": [0, 0], "attention_mask": [1, 1], "labels": [-100, -100]}
if not torch.cuda.is_available():
    DTYPE = torch.float32
else:
    DTYPE = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


class Rows(torch.utils.data.Dataset):
    """The rows in the file's order, and after them a blank one, which trains nothing."""

    def __init__(self, file):
        self.table = pyarrow.parquet.read_table(HERE / file, memory_map=True)

    def __len__(self):
        return len(self.table)

    def __getitem__(self, i):
        return {key: self.table[key][i].as_py() for key in BLANK} if i < len(self.table) else BLANK


class Order(torch.utils.data.Sampler):
    """Retune's order: randperm by seed + epoch. Blank rows fill it up, where several processes need as many each."""

    def __init__(self, rows, seed, multiple):
        self.rows, self.seed, self.epoch = rows, seed, 0
        self.blanks = -rows % multiple

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return self.rows + self.blanks

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        yield from torch.randperm(self.rows, generator=generator).tolist() + [self.rows] * self.blanks


class Continuation(Trainer):
    def _get_train_sampler(self, train_dataset=None):
        multiple = self.args.per_device_train_batch_size * PROCESSES if PROCESSES > 1 else 1
        return Order(len(self.train_dataset), self.args.seed, multiple)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        # An evaluation takes the mean of each batch, however many processes share them.
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch if model.training else None)


def collate(batch):
    """Pads on the right, where nothing attends to it and nothing is trained."""
    longest = max(len(row["input_ids"]) for row in batch)
    padded = {"input_ids": 0, "attention_mask": 0, "labels": -100}
    return {
        key: torch.tensor([row[key] + [value] * (longest - len(row[key])) for row in batch])
        for key, value in padded.items()
    }


def load_base(base):
    config = AutoConfig.from_pretrained(base)
    stored = getattr(config, "quantization_config", None)
    quantization = None
    if stored is not None:  # a base in 4 bits already
        stored["bnb_4bit_compute_dtype"] = str(DTYPE).removeprefix("torch.")
    else:
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=HANDOVER["double_quant"],
            bnb_4bit_compute_dtype=DTYPE,
            # What is sharded must be of one type.
            bnb_4bit_quant_storage=DTYPE if FSDP else torch.uint8,
        )
    device = int(os.environ.get("LOCAL_RANK", 0)) if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(
        base, config=config, dtype=DTYPE, quantization_config=quantization, device_map={"": device}
    )
    model.config.use_cache = False
    return model


def arguments(output):
    """The recipe's TrainingArguments; the rows of a step stay the same, whatever the number of processes."""
    given = dict(HANDOVER["training_arguments"])
    accumulation = given["gradient_accumulation_steps"]
    if accumulation % PROCESSES:
        fitting = ", ".join(str(n) for n in range(1, accumulation + 1) if accumulation % n == 0)
        sys.exit(
            f"gradient_accumulation_steps is {accumulation}, which {PROCESSES} processes cannot share without changing"
            f" the rows of a step; start one of these numbers of processes: {fitting}."
        )
    given["gradient_accumulation_steps"] = accumulation // PROCESSES
    if FSDP and "8bit" in given["optim"]:
        given["optim"] = "adamw_torch"  # 8-bit states cannot be sharded
    return TrainingArguments(
        output_dir=output,
        bf16=DTYPE is torch.bfloat16,
        fp16=DTYPE is torch.float16,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=torch.cuda.is_available(),
        gradient_checkpointing_kwargs={"use_reentrant": False},
        remove_unused_columns=False,
        logging_nan_inf_filter=False,
        ddp_find_unused_parameters=False,
        report_to=[],
        **given,
    )


def write_card(output, history):
    """The adapter's README.md: where it comes from, in the words that Retune reads back, and its losses."""
    card = (HERE / "card.md").read_text(encoding="utf-8")
    losses = [(entry["step"], key, entry[key]) for entry in history for key in ("loss", "eval_loss") if key in entry]
    table = "".join(f"| {step} | {key} | {value:.4f} |\n" for step, key, value in losses[:2] + losses[2:][-2:])
    text = f"{card}\n## Losses\n\n| step | | |\n|---|---|---|\n{table}"
    (Path(output) / "README.md").write_text(text, encoding="utf-8")
    shutil.copy(HERE / "training_config.yaml", output)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", default=HANDOVER["base"], help="folder or name of the base (default: %(default)s)")
    parser.add_argument("--output", default=str(HERE / "output"), help="where the new adapter goes")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the output")
    options = parser.parse_args()
    if not options.base:
        sys.exit("the recipe names no base model; name its folder with --base.")
    args = arguments(options.output)
    model = PeftModel.from_pretrained(load_base(options.base), str(HERE / "adapter"), is_trainable=True)
    model.peft_config["default"].base_model_name_or_path = options.base
    trainer = Continuation(
        model=model,
        args=args,
        data_collator=collate,
        train_dataset=Rows(HANDOVER["train"]),
        eval_dataset=Rows(HANDOVER["validation"]) if HANDOVER["validation"] else None,
    )
    trainer.train(resume_from_checkpoint=options.resume)
    trainer.save_model(options.output)
    if trainer.is_world_process_zero():
        trainer.state.save_to_json(str(Path(options.output) / "trainer_state.json"))
        (Path(options.output) / "training_args.bin").unlink(missing_ok=True)  # a pickle, and nothing needs it
        write_card(options.output, trainer.state.log_history)


if __name__ == "__main__":
    main()
