"""Ids of rows with tools, with indentation and with content in parts, as transformers gives them, for tests/unit/text/row-ids.test.ts.

Usage: python make_row_ids.py ../../fixtures/text   (pip install transformers; made with transformers 5.24)
Writes rows/ids.json: for each file of rows and each of pairs/ the ids of every row.
"""
import datetime
import json
import os
import sys

import transformers.utils.chat_template_utils as chat_template_utils
from transformers import AutoTokenizer



class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 7, 14, 5, 9)


chat_template_utils.datetime = Fixed
PAIRS = ["qwen2_5", "qwen3", "llama3_like", "deepseek_distill_like", "glm4_moe"]


def joined(row):
    """Text parts as one text, for templates that expect a text."""
    for message in row["messages"]:
        if isinstance(message.get("content"), list):
            message["content"] = "".join(part["text"] for part in message["content"])
    return row


def ids_of(tokenizer, row):
    try:
        return tokenizer.apply_chat_template(row["messages"], tools=row.get("tools"), tokenize=True, return_dict=True)["input_ids"]
    except Exception:
        return None


def main(folder):
    out = {}
    for name in ("messages-tools", "indented", "parts"):
        with open(os.path.join(folder, "rows", name + ".jsonl"), encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        out[name] = {}
        for pair in [*PAIRS, "gemma_like"] if name == "parts" else PAIRS:
            tokenizer = AutoTokenizer.from_pretrained(os.path.join(folder, "pairs", pair))
            takes_parts = pair in ("gemma_like", "glm4_moe")
            out[name][pair] = [ids_of(tokenizer, row if takes_parts else joined(json.loads(json.dumps(row)))) for row in rows]
    with open(os.path.join(folder, "rows", "ids.json"), "w", encoding="utf-8") as file:
        json.dump(out, file, separators=(",", ":"))


main(sys.argv[1])
