"""Pieces and normal forms that Hugging Face's tokenizers makes of awkward texts, and ids of a tokenizer like Gemma's.

    python tests/reference/make_pre_tokenizers.py tests/fixtures/text/pre_tokenizers.json

Each case is a step as tokenizer.json has it; `out` has an entry for each of `texts`: the pieces of a pre-tokenizer, the
text of a normalizer.
"""
import json
import sys

import tokenizers
from tokenizers import NormalizedString, PreTokenizedString, Tokenizer

TEXTS = [
    "", " ", "   ", "a", "Hello, world!", "  two  spaces ", "a b  c   d", " lead", "trail ", "one\ntwo\r\n\n three\t\tfour",
    "abba bab  baab b", "aaa-b--c---", "...!?,;: (x) [y] {z} \"q\" 'r' `s`", "$5.00 + 10% = x^2 ~ <y> | z_1 \\ @#&*",
    "tel. 0123 456789, 3.14159, 1,000", "٣٤٥ ५६ ½ ² Ⅷ ①", "東京は、日本。首都！「です」", "cafe\u0301 Ünïcödé ŉ ß İ ǅ ﬁ",
    "👍🏽 👩‍👩‍👧‍👦 🇫🇷x", "مرحبا، שלום؟", "\u00a0nbsp\u2003em\u3000wide\u200bzero\ufeffbom\x85nel\x1cfs\u2028ls",
    "▁meta ▁▁ space▁", "it's we'll I'd don't'", "x" * 40, "\x00\x01\x7f", "a\u0301\u0301 \u0301", "—–…«»¿¡§¶†", "snake_case camelCase HTTP2Server",
    "<s>tag</s>", "end\n", "\n\n", "0", "٫", " \u3000 ", "ab1cd22ef333", "a,b;c", "𝔘𝔫𝔦 𝟘𝟙 𐍈", "\ufeff! \x85! a\ufeffb \ufeff  \x85\x85 !\x1c!\x85x", "aXbYYc", "\u200d_\u203f‿ ²x",
]

PATTERNS = [{"String": " "}, {"String": "ab"}, {"String": ""}, {"Regex": r"\d{1,3}"}, {"Regex": r"\p{L}+| "}, {"Regex": "b*"}, {"Regex": "(?=[A-Z])"},
            {"Regex": "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"}]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]

PRE = [{"type": "Split", "pattern": p, "behavior": b, "invert": i} for p in PATTERNS for b in BEHAVIORS for i in (False, True)]
PRE += [{"type": "Punctuation", "behavior": b} for b in BEHAVIORS]
PRE += [{"type": "Digits", "individual_digits": i} for i in (True, False)]
PRE += [{"type": "Metaspace", "replacement": r, "prepend_scheme": p, "split": s} for r in "▁" for p in ("always", "first", "never") for s in (True, False)]
PRE += [{"type": "ByteLevel", "add_prefix_space": a, "trim_offsets": True, "use_regex": u} for a in (True, False) for u in (True, False)]
PRE += [{"type": t} for t in ("BertPreTokenizer", "Whitespace", "WhitespaceSplit")]
PRE += [{"type": "FixedLength", "length": n} for n in (1, 3, 5)]
PRE += [{"type": "Sequence", "pretokenizers": s} for s in (
    [{"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}, {"type": "Digits", "individual_digits": True}],
    [{"type": "Digits", "individual_digits": False}, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}],
    [{"type": "Punctuation", "behavior": "Contiguous"}, {"type": "Split", "pattern": {"Regex": " +"}, "behavior": "MergedWithNext", "invert": False}],
    [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}],
    [{"type": "WhitespaceSplit"}, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False}],
    [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, {"type": "Digits", "individual_digits": True}],
    [{"type": "Digits", "individual_digits": True}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}],
)]

NORMAL = [{"type": t} for t in ("NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Lowercase")]
NORMAL += [{"type": "Strip", "strip_left": l, "strip_right": r} for l in (True, False) for r in (True, False)]
NORMAL += [{"type": "Prepend", "prepend": "▁"}]
NORMAL += [{"type": "Replace", "pattern": p, "content": c} for p, c in zip(PATTERNS, ("▁", "", "-", "$0", "▁", "$0", "_", "x"))]
NORMAL += [{"type": "BertNormalizer", "clean_text": c, "handle_chinese_chars": h, "strip_accents": s, "lowercase": l}
           for c, h, s, l in ((True, True, None, True), (False, False, True, False), (True, False, False, True), (False, True, None, False))]
NORMAL += [{"type": "Sequence", "normalizers": s} for s in (
    [{"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}],
    [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}],
)]


def with_step(kind, step):
    parts = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
             "post_processor": None, "decoder": None, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
    return getattr(Tokenizer.from_str(json.dumps({**parts, kind: step})), kind)


def pieces(step, text):
    return [piece for piece, _ in with_step("pre_tokenizer", step).pre_tokenize_str(text)]


def normal(step, text):
    return with_step("normalizer", step).normalize_str(text)


def cases(steps, run):
    return [{"step": step, "out": [run(step, text) for text in TEXTS]} for step in steps]


# As Gemma's: spaces become ▁ before a pre-tokenizer that looks for spaces, and what has no token is spelled in bytes.
MERGES = [["▁", "t"], ["▁t", "h"], ["▁th", "e"], ["h", "e"], ["l", "l"], ["he", "ll"], ["hell", "o"], ["▁", "▁"], ["▁▁", "▁▁"], ["\n", "\n"], ["2", "3"], ["é", "e"]]
TOKENS = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *"▁\nabcdefghijklmnopqrstuvwxyz,.!?'-0123456789é東"]
GEMMA = {
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
    "post_processor": None,
    "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
    "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
              "byte_fallback": True, "ignore_merges": False, "merges": MERGES,
              "vocab": {token: i for i, token in enumerate([*TOKENS, *("".join(pair) for pair in MERGES)])}},
}
gemma = Tokenizer.from_str(json.dumps(GEMMA))
ids = [gemma.encode(text, add_special_tokens=False).ids for text in TEXTS]
out = {"tokenizers": tokenizers.__version__, "texts": TEXTS, "pre_tokenizers": cases(PRE, pieces), "normalizers": cases(NORMAL, normal), "gemma": {"json": GEMMA, "ids": ids}}
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(out, file, ensure_ascii=True, separators=(",", ":"))
    file.write("\n")
