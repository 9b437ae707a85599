"""Makes public/demo from world.py: tokenizer, base, V1, rows, validation rows, questions and recipe.

python make_demo.py OUT_DIR [base] [v1] [rows] [v2]     no stage named: the first three

Everything is seeded and runs on one CPU thread. `v2` runs the demo's recipe with PyTorch, as a check and for tuning:
it writes nothing into OUT_DIR.
"""
import json
import os
import random
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import torch
import yaml
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

import world
from base_model import load_base
from cases import SEVEN, recipe
from make_cases import eval_loss, save_adapter, train, write_json
from rows import collate, text_form
from toy_model import make_tokenizer

torch.set_num_threads(1)
SEED = 42
NAME = "corvane-demo"
END = "<|im_end|>"
SHAPE = dict(hidden_size=128, intermediate_size=384, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2)
PRETRAINING = dict(steps=700, batch=64, rate=3e-3)
MAX_LENGTH = 96

# the recipe's own values but for learning rate, epochs and length; so short a run logs, evaluates and saves more often
RECIPE = recipe(num_train_epochs=8, learning_rate=2e-3, gradient_accumulation_steps=16, eval_steps=4, save_steps=16)
V1_RECIPE = {**RECIPE, "num_train_epochs": 12, "learning_rate": 3e-3, "eval_steps": 500, "save_steps": 500}


def text_row(question, answer):
    return text_form(question, answer) + END


def encode(tok, texts):
    return [dict(input_ids=(ids := tok(text)["input_ids"]), labels=ids) for text in texts]


def pretraining_text(tok, rng):
    """One question and answer, in the text form or through the chat template."""
    kind = rng.choices([world.general_pair, world.classic_pair, world.other_pair], [20, 25, 55])[0]
    question, answer = kind(rng)
    if rng.random() < 0.8:
        return text_row(question, answer)
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return tok.apply_chat_template(turns, tokenize=False)


def make_base(out):
    folder = os.path.join(out, "base")
    shutil.rmtree(folder, ignore_errors=True)
    tok = make_tokenizer(folder, [text_row(text, "") for text in world.vocabulary_texts()], 1000, "chatml_default_system")
    for name in [*world.CLASSICS, *world.LINE_ONE, *world.LINE_TWO]:
        assert len(tok.tokenize(f"the {name} is")) == 4, tok.tokenize(f"the {name} is")
    vocab = -(-len(tok) // 64) * 64  # padded, as Qwen's is
    torch.manual_seed(SEED)
    model = Qwen2ForCausalLM(Qwen2Config(
        vocab_size=vocab, max_position_embeddings=512, rms_norm_eps=1e-6, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=tok.eos_token_id, pad_token_id=tok.pad_token_id, initializer_range=0.04,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4}, **SHAPE))
    print(f"vocabulary {len(tok)} of {vocab}, {sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    steps, batch, rate = PRETRAINING.values()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.05)
    rng, started = random.Random(SEED), time.time()
    for step in range(steps):
        rows = encode(tok, [pretraining_text(tok, rng) for _ in range(batch)])
        loss = model(**collate(rows)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if (step + 1) % 100 == 0:
            print(f"base: step {step + 1}, loss {loss.item():.4f}, {time.time() - started:.0f} s", flush=True)
    model.bfloat16().save_pretrained(folder)


def tokenizer(out):
    return AutoTokenizer.from_pretrained(os.path.join(out, "base"))


def encode_pairs(tok, pairs):
    return [(row["input_ids"], row["labels"]) for row in encode(tok, [text_row(*pair) for pair in pairs])]


def make_v1(out):
    tok, base = tokenizer(out), load_base(os.path.join(out, "base"), double_quant=True)
    report("base", base, tok)
    torch.manual_seed(SEED)
    model = get_peft_model(base, LoraConfig(
        r=32, lora_alpha=64, target_modules=SEVEN, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = os.path.join(out, "base")  # PEFT looks there when it saves
    validation = encode_pairs(tok, world.rows(world.LINE_ONE, (world.VALIDATION_WORDING,)))
    state, _ = train(model, encode_pairs(tok, world.v1_pairs()), validation, V1_RECIPE)
    print_losses(state)
    shutil.rmtree(os.path.join(out, "v1"), ignore_errors=True)
    save_adapter(model, os.path.join(out, "v1"), NAME)
    report("V1", model.eval(), tok)


def write_rows(out):
    for name, pairs in (("train", world.train_pairs()), ("val", world.validation_pairs())):
        with open(os.path.join(out, f"{name}.jsonl"), "w", encoding="utf-8") as f:
            f.writelines(json.dumps({"text": text_row(*pair)}, ensure_ascii=False) + "\n" for pair in pairs)
    write_json(os.path.join(out, "questions.json"), world.questions(), indent=1)
    config = {
        "model": {"name": "toy/" + NAME},
        "lora": {"r": 32, "lora_alpha": 64, "lora_dropout": 0.0, "target_modules": SEVEN},
        "quantization": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
        "training": {**{k: v for k, v in RECIPE.items() if k != "seed"}, "optim": "paged_adamw_8bit",
                     "max_seq_length": MAX_LENGTH},
        "seed": SEED,
    }
    with open(os.path.join(out, "training_config.yaml"), "w", encoding="utf-8") as f:
        yaml.safe_dump(config, f, sort_keys=False)


def run_v2(out):
    """The demo's own run with PyTorch and PEFT."""
    tok, base = tokenizer(out), load_base(os.path.join(out, "base"), double_quant=True)
    model = PeftModel.from_pretrained(base, os.path.join(out, "v1"), is_trainable=True)
    model.peft_config["default"].base_model_name_or_path = os.path.join(out, "base")
    rows, validation = encode_pairs(tok, world.train_pairs()), encode_pairs(tok, world.validation_pairs())
    print(f"{len(rows)} rows, {sum(len(ids) for ids, _ in rows)} tokens an epoch; "
          f"{len(validation)} validation rows, {sum(len(ids) for ids, _ in validation)} tokens", flush=True)
    print(f"V1's eval_loss {eval_loss(model.eval(), validation, 1):.4f}", flush=True)
    state, _ = train(model.train(), rows, validation, RECIPE)
    print_losses(state)
    report("V2", model.eval(), tok)


def print_losses(state):
    print("  ".join(f"{e['step']}:{e.get('loss', e.get('eval_loss')):.3f}{'*' if 'eval_loss' in e else ''}"
                    for e in state["log_history"] if "loss" in e or "eval_loss" in e), flush=True)


def report(who, model, tok):
    """Greedy answers to the questions: exact matches by topic and wording, and some that are not."""
    asked = world.questions()
    answers = greedy(model, tok, [text_form(q["question"]) for q in asked])
    groups, wrong = {}, {}
    for q, answer in zip(asked, answers):
        key, exact = (q["topic"], q["difficulty"]), answer.strip() == q["answer"]
        right, total = groups.get(key, (0, 0))
        groups[key] = right + exact, total + 1
        if not exact:
            wrong.setdefault(q["topic"], []).append(f"{q['question']} → {answer!r}, not {q['answer']!r}")
    print(who + ": " + "; ".join(f"{t}, {d} {r}/{n}" for (t, d), (r, n) in groups.items()), flush=True)
    for topic, lines in wrong.items():
        print("\n".join("    " + line for line in lines[:4]), flush=True)


def greedy(model, tok, prompts, longest=32):
    """Without padding: prompts of one length go together."""
    ids = [tok(p)["input_ids"] for p in prompts]
    answers = [""] * len(ids)
    for length in {len(x) for x in ids}:
        group = [i for i, x in enumerate(ids) if len(x) == length]
        batch = torch.tensor([ids[i] for i in group])
        with torch.no_grad():
            for _ in range(longest):
                batch = torch.cat([batch, model(input_ids=batch).logits[:, -1].argmax(-1, keepdim=True)], 1)
                if (batch[:, length:] == tok.eos_token_id).any(1).all():
                    break
        for i, new in zip(group, batch[:, length:].tolist()):
            answers[i] = tok.decode(new[: new.index(tok.eos_token_id)] if tok.eos_token_id in new else new)
    return answers


STAGES = {"base": make_base, "v1": make_v1, "rows": write_rows, "v2": run_v2}

if __name__ == "__main__":
    torch.set_num_threads(1)
    target = sys.argv[1]
    os.makedirs(target, exist_ok=True)
    for stage in sys.argv[2:] or ["base", "v1", "rows"]:
        STAGES[stage](target)
