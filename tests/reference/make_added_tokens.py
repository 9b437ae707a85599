"""Random texts under random added tokens, for tests/unit/text/added-tokens.test.ts.

Usage: python make_added_tokens.py OUT.json   (pip install transformers; made with transformers 5.24, tokenizers 0.23.3)
OUT.json has "merges" of a byte-level vocabulary and "tokenizers": for each its "normalizer", the "added_tokens" of
tokenizer.json, what tokenizer_config.json has ("config"), all added "tokens" in the end ([id, content, flags]), and "texts":
[text, ids, ids with split_special_tokens=True], null where the library panics.
"""
import json
import os
import random
import sys
import tempfile

from transformers import AutoTokenizer

random.seed(13)
bytes_ = [*range(33, 127), *range(161, 173), *range(174, 256)]
others = [b for b in range(256) if b not in bytes_]
ALPHABET = {b: chr(b) for b in bytes_} | {b: chr(256 + i) for i, b in enumerate(others)}
MERGES = [["t", "o"], ["to", "k"], ["<", "a"], ["Ġ", "t"], ["i", "m"]]
VOCAB = {ALPHABET[b]: b for b in range(256)} | {"".join(pair): 256 + i for i, pair in enumerate(MERGES)}
NORMALIZERS = [None, None, {"type": "NFC"}, {"type": "NFKC"}, {"type": "Lowercase"}, {"type": "Sequence", "normalizers": []}, {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]}, {"type": "Replace", "pattern": {"String": " "}, "content": "_"}, {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "_"}, {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]}, {"type": "Strip", "strip_left": True, "strip_right": False}]
CONTENTS = ["<a>", "<a>b", "<A>", "a>", "tok", "Tok", "to", "é", "e\u0301", "<|im|>", "<|im", "|>", " ", "  x", "\n", "ﬁ", "fi", "12", "_", "-", "中", "👍", "x y", "ᾳ", "<a><b>", "im", "t", "²"]
PIECES = [" ", "  ", "\t", "\n", "\x85", "\ufeff", "\u200b", "\u3000", "\x1c", "\u2028", "a", "b", "x", "B", "é", "\u0301", "\u200d", "1", "²", "ª", "_", "-", ".", "中", "👍", "Ⅷ", "ⓐ", "İ", "ß", "y", "<", ">", "|", "＜", "＞"]
FLAGS = ["special", "lstrip", "rstrip", "single_word", "normalized"]
chance = lambda p: random.random() < p


def flags():
    return {flag: chance(0.35) for flag in FLAGS}


def config_of(contents):
    """Keys of tokenizer_config.json that make tokens, some with tokens that tokenizer.json has."""
    config = {}
    some = lambda: random.choice(contents + random.sample(CONTENTS, 2))
    if chance(0.4):
        listed = random.sample(contents, random.randint(0, len(contents))) + random.sample(CONTENTS, random.randint(0, 2))
        config["added_tokens_decoder"] = {str(261 + i * random.choice([1, 1, 3])): {"content": content, **({} if chance(0.2) else flags())} for i, content in enumerate(dict.fromkeys(listed))}
    if chance(0.3):
        config["additional_special_tokens"] = [some() if chance(0.7) else {"__type": "AddedToken", "content": some(), "lstrip": True, "normalized": chance(0.5)} for _ in range(2)]
    if chance(0.15):
        config["extra_special_tokens"] = random.choice([[some()], {"boi_token": some(), "other": some()}])
    for name in ("eos_token", "pad_token", "unk_token", "image_token"):
        if chance(0.3):
            config[name] = some() if chance(0.7) else {"__type": "AddedToken", "content": some(), **{flag: chance(0.4) for flag in FLAGS[1:]}}
    return config


def tokenizer(folder, normalizer, added, config):
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "vocab": VOCAB, "merges": MERGES}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": normalizer, "pre_tokenizer": level, "post_processor": None, "decoder": level, "model": model}
    for name, content in (("tokenizer.json", whole), ("tokenizer_config.json", {"tokenizer_class": "TokenizersBackend", **config})):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(content, file)
    return AutoTokenizer.from_pretrained(folder)


def text_of(contents):
    near = contents + [content.upper() for content in contents] + [content.lower() for content in contents]
    return "".join(random.choice(near) if chance(0.5) else random.choice(PIECES) for _ in range(random.randint(1, 9)))


cases = []
while len(cases) < 120:
    contents = random.sample(CONTENTS, random.randint(1, 7))
    next_id, added = len(VOCAB), []
    for content in contents:
        known = VOCAB.get(content)
        added.append({"id": next_id if known is None else known, "content": content, **flags()})
        next_id += known is None
    normalizer, config = random.choice(NORMALIZERS), config_of(contents)
    if "Strip" in str(normalizer) and any(f"'{space}'" in f"{contents}{config}" for space in (" ", "\\n")):
        continue  # A token that becomes nothing is found without end.
    with tempfile.TemporaryDirectory() as folder:
        made = tokenizer(folder, normalizer, added, json.loads(json.dumps(config)))
    # The library goes on to skip what was special once, though it does not show it.
    once = {token["content"] for token in added if token["special"]}
    tokens = [[id, token.content, token.special or token.content in once, *(getattr(token, flag) for flag in FLAGS[1:])] for id, token in sorted(made.added_tokens_decoder.items())]

    def ids(text, split):
        try:
            return made(text, add_special_tokens=False, split_special_tokens=split)["input_ids"]
        except BaseException as panic:  # Rust's, where a token of white space is swallowed by another's rstrip.
            if "bad split" not in str(panic):
                raise

    texts = [text_of([token[1] for token in tokens]) for _ in range(14)]
    cases.append({"normalizer": normalizer, "added_tokens": added, "config": config, "tokens": tokens, "texts": [[text, ids(text, False), ids(text, True)] for text in texts]})
with open(sys.argv[1], "w", encoding="utf-8") as out:
    out.write('{"merges":' + json.dumps(MERGES, ensure_ascii=False) + ',"tokenizers":[\n' + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]}\n")
