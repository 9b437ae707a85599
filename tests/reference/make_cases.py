"""Continued QLoRA fine-tunings by PyTorch, transformers' Trainer and PEFT: the fixtures under tests/fixtures/cases.

python make_cases.py OUT_DIR [case ...]

The trainer, the schedule, the order of rows, the decoder and the adapter files are the libraries' own.
"""
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import yaml
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import Trainer, TrainingArguments

from adamw8bit import AdamW8bit
from base_model import load_base, prequantize
from cases import CASES
from gradients import write_gradients
from rows import Rows, collate, encode, has_trained_token, make_row, text_form
from toy_model import build_model, make_tokenizer, rows_of, seed_of

torch.set_num_threads(2)
CANDIDATES, QUESTIONS = 24, 4
GREEDY_TOKENS = 24
# texts are compared token for token, so no choice of theirs may hang on rounding
MIN_MARGIN = 1e-2


@dataclass
class Case:
    """A case under construction: its settings, folder, tokenizer and rows."""
    name: str
    settings: dict
    folder: str
    tok: Any
    pairs: list
    train: list
    val: list
    pretraining: list

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def encode(self, rows):
        return [encode(self.tok, row, self.settings.get("max_length", 96)) for row in rows]


def start_case(name, out):
    s, folder = CASES[name], os.path.join(out, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "expected"))
    pairs = rows_of(name, s["rows"] + s["val"] + 160)
    template = s.get("template", "chatml_default_system")
    tok = make_tokenizer(os.path.join(folder, "base"), [text_form(q, a) for q, a in pairs], s["vocab"], template)
    rows = [make_row(s["fmt"], pairs, i, s.get("turns", 1)) for i in range(len(pairs))]
    train, val, pretraining = rows[: s["rows"]], rows[s["rows"] : s["rows"] + s["val"]], rows[s["rows"] + s["val"] :]
    if "overlong_row" in s:
        first = next(m for m in train[s["overlong_row"]]["conversations"] if m["from"] == "human")
        first["value"] = " ".join(q for q, _ in pairs[:30])
    return Case(name, s, folder, tok, pairs, train, val, pretraining)


def make_base(case):
    """A decoder with a short pretraining, so that losses mean something, saved in the case's file type."""
    s, tok = case.settings, case.tok
    vocab = -(-len(tok) // 64) * 64  # padded, as Qwen's is
    model = build_model(s, vocab, seed_of(case.name), tok)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    encoded = case.encode(case.pretraining)
    for step in range(s.get("pretraining", 160)):
        ids = [encoded[(step * 4 + i) % len(encoded)][0] for i in range(4)]
        model(**collate([dict(input_ids=x, labels=x) for x in ids])).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    dtype = getattr(torch, s.get("dtype", "bfloat16"))
    if dtype == torch.float32:
        # only the Linears are f32 in earnest: what a 4-bit base keeps in 16 bits is exact in bf16
        for name, p in model.named_parameters():
            if not name.endswith("_proj.weight"):
                p.data = p.data.bfloat16().float()
    model.to(dtype).save_pretrained(case.path("base"), max_shard_size=s.get("shard", "1GB"))
    if s.get("old_config"):
        write_old_config(case.path("base", "config.json"))
    if s.get("prequant"):
        prequantize(case.path("base"), s.get("skip"))
    if s.get("says_tied"):
        path = case.path("base", "config.json")
        write_json(path, {**read_json(path), "tie_word_embeddings": True}, indent=2)


def write_old_config(path):
    """The keys that models published before transformers 5 have."""
    config = read_json(path)
    rope = config.pop("rope_parameters")
    config["rope_theta"], config["rope_scaling"] = rope.pop("rope_theta"), rope
    config["torch_dtype"] = config.pop("dtype")
    write_json(path, config, indent=2)


def make_v1(case):
    """The adapter to continue from: PEFT's initialisation and a few steps on other rows."""
    s = case.settings
    base = load_base(case.path("base"), s["double_quant"])
    torch.manual_seed(seed_of(case.name) + 1)
    model = get_peft_model(base, LoraConfig(
        r=s["r"], lora_alpha=s["alpha"], target_modules=s["targets"], lora_dropout=0.0, bias="none",
        task_type="CAUSAL_LM", use_rslora=s.get("rslora", False), rank_pattern=s.get("rank_pattern", {}),
        alpha_pattern=s.get("alpha_pattern", {})))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    encoded = case.encode(case.pretraining)
    for step in range(12):
        batch = [dict(zip(("input_ids", "labels"), encoded[(step * 2 + i) % len(encoded)])) for i in range(2)]
        model(**collate(batch)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    save_adapter(model, case.path("v1"), case.name)


def save_adapter(model, folder, name):
    model.save_pretrained(folder)
    os.remove(os.path.join(folder, "README.md"))
    path = os.path.join(folder, "adapter_config.json")
    write_json(path, {**read_json(path), "base_model_name_or_path": "toy/" + name}, indent=2, sort_keys=True)


def write_inputs(case):
    """The files that a run reads beside base and V1."""
    s = case.settings
    for name, rows in (("train.jsonl", case.train), ("val.jsonl", case.val)):
        with open(case.path(name), "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    config = {
        "model": {"name": "toy/" + case.name},
        "lora": {"r": s["r"], "lora_alpha": s["alpha"], "lora_dropout": 0.0, "target_modules": s["targets"]},
        "quantization": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
                         "bnb_4bit_use_double_quant": s["double_quant"]},
        "training": {**{k: v for k, v in s["recipe"].items() if k != "seed"}, "optim": "paged_adamw_8bit",
                     "gradient_checkpointing": True, "max_seq_length": s.get("max_length", 96), "fp16": False,
                     "bf16": True},
        "seed": s["recipe"]["seed"],
    }
    with open(case.path("training_config.yaml"), "w") as f:
        yaml.safe_dump(config, f, sort_keys=False)


def train(model, train_rows, val_rows, recipe):
    """The Trainer's run -> log_history, trainer state, names of the checkpoints that remain."""
    rate = float(recipe["learning_rate"])
    same = ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps",
            "num_train_epochs", "lr_scheduler_type", "weight_decay", "max_grad_norm", "eval_steps", "logging_steps",
            "save_steps", "save_total_limit", "seed")
    with tempfile.TemporaryDirectory() as out:
        args = TrainingArguments(
            output_dir=out, use_cpu=True, learning_rate=rate, warmup_steps=recipe["warmup_ratio"],  # under 1: a ratio
            logging_nan_inf_filter=False, eval_strategy="steps", save_strategy="steps", report_to=[],
            disable_tqdm=True, gradient_checkpointing=False, remove_unused_columns=False,
            **{k: recipe[k] for k in same})
        optimizer = AdamW8bit([p for p in model.parameters() if p.requires_grad], lr=rate,
                              weight_decay=recipe["weight_decay"])
        trainer = Trainer(model=model, args=args, train_dataset=Rows(train_rows), eval_dataset=Rows(val_rows),
                          data_collator=collate, optimizers=(optimizer, None))
        trainer.train()
        trainer.state.save_to_json(os.path.join(out, "trainer_state.json"))
        kept = sorted(d for d in os.listdir(out) if d.startswith("checkpoint-"))
        return read_json(os.path.join(out, "trainer_state.json")), kept


def eval_loss(model, encoded, batch):
    """Mean over rows of the mean token loss of the row's batch."""
    losses = []
    with torch.no_grad():
        for i in range(0, len(encoded), batch):
            rows = encoded[i : i + batch]
            loss = model(**collate([dict(input_ids=x, labels=y) for x, y in rows])).loss.item()
            losses += [loss] * len(rows)
    return float(np.mean(losses))


def greedy(model, tok, prompt_ids):
    """-> new ids up to a stop id, and the least distance between the best two logits on the way."""
    ids, margin = list(prompt_ids), float("inf")
    with torch.no_grad():
        for _ in range(GREEDY_TOKENS):
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
            best = logits.topk(2)
            margin = min(margin, (best.values[0] - best.values[1]).item())
            if best.indices[0].item() in (tok.eos_token_id, tok.pad_token_id):
                break
            ids.append(best.indices[0].item())
    return ids[len(prompt_ids) :], margin


def last_logits(model, prompt_ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([prompt_ids])).logits[0, -1].tolist()


def prompt_of(case, question):
    """The question in the rows' own prompt form -> text, ids."""
    tok = case.tok
    if case.settings["fmt"] in ("text", "prompt_completion"):
        prompt = text_form(question)
        return prompt, tok(prompt)["input_ids"]
    message = [{"role": "user", "content": question}]
    prompt = tok.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    return prompt, tok.encode(prompt, add_special_tokens=False)


class Prompts:
    """What base, V1 and V2 say to candidate questions; those whose answers hang least on rounding are kept."""

    def __init__(self, case):
        self.case = case
        self.prompts = [prompt_of(case, q) for q, _ in case.pairs[:CANDIDATES]]
        self.answers = {}

    def ask(self, who, model):
        self.answers[who] = [(*greedy(model, self.case.tok, ids), last_logits(model, ids)) for _, ids in self.prompts]

    def best(self):
        """-> questions for questions.json, and what expected.json says of them (in full of the first)."""
        margins = [min(a[i][1] for a in self.answers.values()) for i in range(CANDIDATES)]
        kept = sorted(range(CANDIDATES), key=lambda i: -margins[i])[:QUESTIONS]
        assert margins[kept[-1]] > MIN_MARGIN, margins
        pairs, decode = self.case.pairs, self.case.tok.decode
        questions = [{"question": pairs[i][0], "answer": pairs[i][1], "topic": "parts", "difficulty": "easy"}
                     for i in kept]
        first = kept[0]
        expected = {"prompt": self.prompts[first][0], "prompt_ids": self.prompts[first][1],
                    "greedy_margins": [margins[i] for i in kept],
                    "greedy_answers": [{who: decode(a[i][0]) for who, a in self.answers.items()} for i in kept]}
        for who, answers in self.answers.items():
            ids, _, logits = answers[first]
            expected.update({f"{who}_greedy": ids, f"{who}_text": decode(ids), f"{who}_logits": logits})
        return questions, expected


def reference_run(case):
    """Base, V1, the run, V2: what expected/ holds."""
    s = case.settings
    encoded, val = case.encode(case.train), case.encode(case.val)[: s["recipe"].get("max_eval_samples")]
    trained = [e for e in encoded if has_trained_token(e)]
    batch = s["recipe"]["per_device_eval_batch_size"]
    expected = {"first_rows": [dict(zip(("input_ids", "labels"), e)) for e in encoded[:3]],
                "skipped_rows": len(encoded) - len(trained)}
    prompts = Prompts(case)
    base = load_base(case.path("base"), s["double_quant"])
    prompts.ask("base", base)
    model = PeftModel.from_pretrained(base, case.path("v1"), is_trainable=True).eval()
    model.peft_config["default"].base_model_name_or_path = case.path("base")  # PEFT looks there when it saves
    prompts.ask("v1", model)
    expected["v1_eval_loss"] = eval_loss(model, val, batch)
    state, expected["checkpoints"] = train(model, trained, val, s["recipe"])
    expected["log_history"] = state["log_history"]
    model.eval()
    prompts.ask("v2", model)
    expected["v2_eval_loss"] = eval_loss(model, val, batch)
    questions, answers = prompts.best()
    expected.update(answers)
    write_json(case.path("questions.json"), questions, indent=1)
    save_adapter(model, case.path("expected", "v2"), case.name)
    write_json(case.path("expected", "trainer_state.json"), state, indent=2)
    write_json(case.path("expected", "expected.json"), expected)
    return expected


def read_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def write_json(path, value, **options):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, **options)


def make(name, out):
    started = time.time()
    case = start_case(name, out)
    make_base(case)
    make_v1(case)
    write_inputs(case)
    expected = reference_run(case)
    if case.settings.get("gradients"):
        write_gradients(case.folder, case.settings["double_quant"])
    losses = [round(h["loss"], 4) for h in expected["log_history"] if "loss" in h]
    print(f"{name}: losses {losses}, eval V1 {expected['v1_eval_loss']:.4f} V2 {expected['v2_eval_loss']:.4f}, "
          f"margins {[round(m, 3) for m in expected['greedy_margins']]}, "
          f"tokens {sum(len(e[0]) for e in case.encode(case.train))}, {time.time() - started:.0f} s", flush=True)
    for key in ("base", "v1", "v2"):
        print(f"   {key}: {expected[key + '_text']!r}", flush=True)


if __name__ == "__main__":
    for case_name in sys.argv[2:] or CASES:
        make(case_name, sys.argv[1])
