"""Rows of every format -> token ids and labels (-100: not trained), and batches of them."""
import torch

ROLES = {"human": "user", "gpt": "assistant", "system": "system"}


def text_form(question, answer=""):
    return f"### Instruction:\n{question}\n\n### Response:\n{answer}"


def make_row(fmt, pairs, i, turns):
    """Row i of a case, from the question and answer pairs; turns 2 puts another pair before some of them."""
    q, a = pairs[i]
    earlier = [pairs[i - 1]] if turns == 2 and i % 3 == 1 else []
    system = "Answer as a clerk." if len(q) % 3 == 0 else None
    if fmt == "text":
        return {"text": text_form(q, a)}
    if fmt == "prompt_completion":
        if i % 4 == 3:  # the same keys may hold messages
            prompt = [{"role": "user", "content": q}]
            return {"prompt": prompt, "completion": [{"role": "assistant", "content": a}]}
        return {"prompt": text_form(q), "completion": a}
    if fmt == "alpaca":
        instruction, cut, extra = q.partition("\n")
        row = {"instruction": instruction, "input": extra if cut else "", "output": a}
        return {**row, **({"system": system} if system else {}), **({"history": [list(p) for p in earlier]} if earlier else {})}
    turns_of = [("user", q), ("assistant", a)]
    for pair in earlier:
        turns_of = [("user", pair[0]), ("assistant", pair[1])] + turns_of
    if system:
        turns_of = [("system", system)] + turns_of
    if fmt == "messages":
        return {"messages": [{"role": r, "content": t} for r, t in turns_of]}
    names = {role: name for name, role in ROLES.items()}
    return {"conversations": [{"from": names[r], "value": t} for r, t in turns_of]}


def encode(tok, row, max_length):
    """-> ids, labels, both cut at max_length from the end."""
    if "text" in row:
        ids = tok(row["text"])["input_ids"]
        labels = list(ids)
    elif isinstance(row.get("prompt"), str):
        prompt = tok(row["prompt"])["input_ids"]
        completion = tok.encode(row["completion"], add_special_tokens=False) + [tok.eos_token_id]
        ids, labels = prompt + completion, [-100] * len(prompt) + completion
        assert ids[:-1] == tok(row["prompt"] + row["completion"])["input_ids"], "pieces differ from the whole"
    else:
        ids, labels = encode_chat(tok, *as_messages(row))
    return ids[:max_length], labels[:max_length]


def as_messages(row):
    """-> messages, and the indices of the trained ones."""
    if "instruction" in row:
        messages = [{"role": "system", "content": row["system"]}] if row.get("system") else []
        user = row["instruction"] + ("\n" + row["input"] if row.get("input") else "")
        for q, a in row.get("history", []) + [[user, row["output"]]]:
            messages += [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
        return messages, [len(messages) - 1]
    if "prompt" in row:
        messages = row["prompt"] + row["completion"]
        return messages, list(range(len(row["prompt"]), len(messages)))
    if "conversations" in row:
        messages = [{"role": ROLES[m["from"]], "content": m["value"]} for m in row["conversations"]]
    else:
        messages = row["messages"]
    return messages, [i for i, m in enumerate(messages) if m["role"] == "assistant"]


def encode_chat(tok, messages, trained):
    """Renders up to and through each trained turn, so that its content, end token and newline are one piece."""
    def render(upto, generation):
        return tok.apply_chat_template(messages[:upto], tokenize=False, add_generation_prompt=generation)

    pieces, done = [], ""
    for i in trained:
        head, through = render(i, True), render(i + 1, False)
        assert head.startswith(done) and through.startswith(head)
        pieces += [(head[len(done):], False), (through[len(head):], True)]
        done = through
    pieces.append((render(len(messages), False)[len(done):], False))
    ids, labels = [], []
    for text, is_trained in pieces:
        part = tok.encode(text, add_special_tokens=False)
        ids += part
        labels += part if is_trained else [-100] * len(part)
    whole = tok.apply_chat_template(messages, tokenize=True, return_dict=False)
    assert whole == ids, "pieces differ from the whole"
    return ids, labels


def has_trained_token(encoded):
    return any(label != -100 for label in encoded[1][1:])


class Rows(torch.utils.data.Dataset):
    """Encoded rows as the Trainer wants them."""

    def __init__(self, encoded):
        self.encoded = encoded

    def __len__(self):
        return len(self.encoded)

    def __getitem__(self, i):
        return dict(zip(("input_ids", "labels"), self.encoded[i]))


def collate(batch):
    """Pads on the right with id 0, label -100, mask 0."""
    n = max(len(x["input_ids"]) for x in batch)

    def padded(rows, value):
        return torch.tensor([r + [value] * (n - len(r)) for r in rows])

    return {
        "input_ids": padded([x["input_ids"] for x in batch], 0),
        "labels": padded([x["labels"] for x in batch], -100),
        "attention_mask": padded([[1] * len(x["input_ids"]) for x in batch], 0),
    }
