"""Token ids of rows by tokenizer.json and the chat template, one line of JSON a row.

python encode_rows.py FOLDER ROWS.jsonl

`auto` is whether AutoTokenizer gives the same ids: in transformers 5 its class for this base, GPT2Tokenizer, has
another pre-tokenizer than tokenizer.json.
"""
import json
import sys
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reference"))
from rows import encode  # noqa: E402

base = Path(sys.argv[1]) / "base"
by_file, auto = PreTrainedTokenizerFast.from_pretrained(base), AutoTokenizer.from_pretrained(base)
for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines():
    row = json.loads(line)
    ids, labels = encode(by_file, row, by_file.model_max_length)
    same = encode(auto, row, auto.model_max_length)[0] == ids
    # Nothing predicts the first token.
    print(json.dumps({"ids": ids, "trained": [0] + [int(label != -100) for label in labels[1:]], "auto": same}))
