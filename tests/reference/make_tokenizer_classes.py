"""Which tokenizer classes of transformers 5 keep what tokenizer.json splits texts by, and which put their own in its place.

python make_tokenizer_classes.py OUT.json

For each splitting (SmolLM's, GPT-2's, Qwen2's), tokenizer_class and model_type: whether the loaded tokenizer has the
normalizer and pre-tokenizer of the file.
"""
import json
import os
import sys
import tempfile

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITTINGS = {
    "smollm": (None, {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]}),
    "gpt2": (None, BYTE_LEVEL),
    "qwen2": ({"type": "NFC"}, {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": QWEN2}, "behavior": "Isolated", "invert": False},
        {**BYTE_LEVEL, "use_regex": False},
    ]}),
}
CLASSES = [
    "GPT2Tokenizer", "GPT2TokenizerFast", "Qwen2Tokenizer", "Qwen2TokenizerFast", "CodeGenTokenizer", "LlamaTokenizer",
    "LlamaTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend", None,
]
FAMILIES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}


def steps(step):
    """A step's parts that tell how texts are split."""
    if step is None:
        return []
    inner = step.get("pretokenizers") or step.get("normalizers")
    if inner is not None:
        return [part for one in inner for part in steps(one)]
    step = {key: value for key, value in step.items() if key not in ("trim_offsets", "invert")}
    bare = step["type"] == "ByteLevel" and not step["add_prefix_space"] and not step["use_regex"]
    return [] if bare else [step]


def write(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)


def main():
    vocab = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    plain = json.loads(Tokenizer(models.BPE(vocab, [])).to_str())
    kept = []
    for splitting, (normalizer, pre_tokenizer) in SPLITTINGS.items():
        own = {**plain, "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "decoder": BYTE_LEVEL}
        for tokenizer_class in CLASSES:
            for model_type, architecture in FAMILIES.items():
                with tempfile.TemporaryDirectory() as folder:
                    write(os.path.join(folder, "tokenizer.json"), own)
                    named = {} if tokenizer_class is None else {"tokenizer_class": tokenizer_class}
                    write(os.path.join(folder, "tokenizer_config.json"), named)
                    write(os.path.join(folder, "config.json"), {"model_type": model_type, "architectures": [architecture]})
                    loaded = json.loads(AutoTokenizer.from_pretrained(folder).backend_tokenizer.to_str())
                same = all(steps(loaded[key]) == steps(own[key]) for key in ("normalizer", "pre_tokenizer"))
                kept.append({"splitting": splitting, "class": tokenizer_class, "model_type": model_type, "kept": same})
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join("  " + json.dumps(entry) for entry in kept) + "\n]\n")


if __name__ == "__main__":
    main()
