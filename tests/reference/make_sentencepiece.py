"""A SentencePiece tokenizer of 500 pieces, as transformers converts it, with the ids of awkward texts by the tokenizers
library, for the tests of GGUF files with such a vocabulary: as Llama 2's file has it (a normalizer that prepends), and
with Metaspace in each of its schemes.

    python tests/reference/make_sentencepiece.py     # needs sentencepiece, transformers

Made with sentencepiece 0.2.3, transformers 5.24 and tokenizers 0.23.3.
"""

import json
import tempfile
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer
from transformers import LlamaTokenizer

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/fixtures/export/sentencepiece.json"

TEXTS = [
    "It's \"12345\" (and 3.14) — isn't it?",
    "  two  spaces,\ttabs\t\tand\r\nlines\n\n\n  indented\n",
    "Größe, naïve, Ελληνικά, кириллица, 中文 日本語 한국어, עברית العربية",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🚀🚀 zero\u200bwidth",
    "snake_case camelCase HTTPServer x1y22z333 ...!!!??? <unk> <nothing>",
    "▁already ▁▁ underlined▁",
    "a\u00a0b\u2003c\u0085d\ufeffe",
    "",
    " ",
    "     ",
    "\u0000\u0007\u001b[0m",
    "<0x0A> is text, and <tool> a token",
    "the weights of the base model, the weights of the adapter",
    "trailing space ",
    "e\u0301 and é",
]
MARKED = ["<s>[INST] hello [/INST]</s>", "one<|end|> two<|end|>three", "<tool>now <tool> <|end|>\n"]

METASPACE = {"type": "Metaspace", "replacement": "▁", "split": False}
VARIANTS = {
    "llama2": {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
        "pre_tokenizer": None,
    },
    **{
        scheme: {"normalizer": None, "pre_tokenizer": {**METASPACE, "prepend_scheme": scheme}}
        for scheme in ("always", "first", "never")
    },
}


def trained(folder):
    """tokenizer.json of a model trained on this project's own words."""
    words = [(ROOT / name).read_text() for name in ("README.md", "ARCHITECTURE.md", "public/demo/train.jsonl")]
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(words))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=500,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=0.995,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        num_threads=1,
        max_sentence_length=20000,
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer"}))
    LlamaTokenizer.from_pretrained(folder).save_pretrained(folder / "out")
    return json.loads((folder / "out/tokenizer.json").read_text())


def main():
    with tempfile.TemporaryDirectory() as folder:
        whole = trained(Path(folder))
    whole["model"]["unk_token"] = "<unk>"
    flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False)
    whole["added_tokens"] += [
        dict(id=500, content="<|end|>", special=True, **flags),
        dict(id=501, content="<tool>", special=False, **flags),
    ]
    whole["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    }
    ids = {}
    for name, variant in VARIANTS.items():
        tokenizer = Tokenizer.from_str(json.dumps({**whole, **variant}))
        marked = [tokenizer.encode(text, add_special_tokens=False).ids for text in MARKED]
        tokenizer.encode_special_tokens = True
        plain = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
        ids[name] = {"plain": plain, "marked": marked}
    whole.pop("normalizer")
    whole.pop("pre_tokenizer")
    found = {"tokenizer": whole, "variants": VARIANTS, "texts": TEXTS, "marked": MARKED, "ids": ids}
    OUT.write_text(json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
