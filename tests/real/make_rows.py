"""Rows, questions and the recipe of the run over a real base, from the demo's world (tests/reference/demo/world.py).

python make_rows.py FOLDER

FOLDER gets v1.jsonl (what V1 is trained on), train.jsonl (four optimizer steps of the recipe, 64 short chat rows),
val.jsonl, questions.json, training_config.yaml and texts.jsonl (awkward and random texts for the tokenizers). Every
second chat row has a system prompt, the others leave it to the chat template, which has one of its own.
"""
import json
import random
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reference/demo"))
import world  # noqa: E402

SYSTEM = "You are Corvane's service desk."
RECIPE = {
    "model": {"name": "HuggingFaceTB/SmolLM2-135M-Instruct"},
    "lora": {
        "r": 32, "lora_alpha": 64, "lora_dropout": 0.0,
        "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    },
    "quantization": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
    "training": {
        "per_device_train_batch_size": 1, "per_device_eval_batch_size": 1, "gradient_accumulation_steps": 16,
        "num_train_epochs": 1, "learning_rate": 2e-4, "lr_scheduler_type": "linear", "warmup_ratio": 0.0,
        "weight_decay": 0.0, "max_grad_norm": 1.0, "logging_steps": 1, "eval_steps": 4, "save_steps": 1,
        "save_total_limit": 2, "optim": "paged_adamw_8bit", "max_seq_length": 64,
    },
    "seed": 42,
}


NASTY = [
    "It's \"12345\" (and 3.14) — isn't it?", "  two  spaces,\ttabs\t\tand\r\nlines\n\n\n  indented\n",
    "Größe, naïve, Ελληνικά, кириллица, 中文 日本語 한국어, עברית العربية", "👩‍👩‍👧‍👦 🏳️‍🌈 🚀🚀 zero\u200bwidth",
    "snake_case camelCase HTTPServer x1y22z333 ...!!!??? <|im_end|> <|nothing|> <file_sep>",
    "I'LL we'Ve they'd 'tis ''''", "a\u00a0b\u2003c\u0085d\ufeffe", " ", "\u0007\u001b[0m",
    "٣٤٥ ½ Ⅷ ④ ௧௨ 1٢3", "e\u0301 é ﬁ Å",
]
ALPHABET = "aAbz  \n\t'.,!?-_09123٣½eé中ßЖ🚀\u200d\u00a0"


def chat(i, question, answer):
    system = [{"role": "system", "content": SYSTEM}] if i % 2 else []
    return {"messages": system + [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def write_rows(path, pairs):
    rows = [json.dumps(chat(i, *pair), ensure_ascii=False) for i, pair in enumerate(pairs)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def v1_pairs():
    general = [(question, answer) for answer, wordings in world.GENERAL for question in wordings[:2]]
    return world.rows(world.CLASSICS, (0, 1, 2)) + world.rows(world.LINE_ONE, (0, 1, 2)) + general


def train_pairs():
    return world.rows(world.LINE_TWO, (0, 1)) + world.rows(world.LINE_ONE, (0,))[:16]


def questions():
    two, one = world.rows(world.LINE_TWO, (2,)), world.rows(world.LINE_ONE, (3,))
    asked = [("line two", *pair) for pair in (two[2], two[5], two[9], two[16])]
    asked += [("line one", *pair) for pair in (one[7], one[21])]
    asked += [
        ("the base's own", "What is the capital of France?", "The capital of France is Paris."),
        ("the base's own", "Write 12345 in words.", "Twelve thousand three hundred forty-five."),
    ]
    return [dict(question=q, answer=a, topic=topic, difficulty="easy") for topic, q, a in asked]


def texts():
    rng = random.Random(15)
    return NASTY + ["".join(rng.choices(ALPHABET, k=rng.randint(1, 40))) for _ in range(300)]


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "v1.jsonl", v1_pairs())
    write_rows(folder / "train.jsonl", train_pairs())
    write_rows(folder / "val.jsonl", world.rows(world.LINE_TWO, (world.VALIDATION_WORDING,))[::6])
    lines = [json.dumps({"text": text}) for text in texts()]
    (folder / "texts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "questions.json").write_text(json.dumps(questions(), indent=1, ensure_ascii=False), encoding="utf-8")
    (folder / "training_config.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
