"""What the reference reader (safetensors, by Hugging Face) says of files: safetensors_verdicts.py CORPUS > verdicts.json

CORPUS is a sequence of files, each behind its length as a little-endian u32. The output is a list with an entry for
each: {"refused": "message"}, or {"accepted": SHA-256 of what was read}; see `digest`.
"""

import hashlib
import json
import struct
import sys
import tempfile

import safetensors


def digest(data: bytes) -> str:
    """SHA-256 of the tensors, sorted by name, each with the hash of its bytes, and of the metadata."""
    tensors = [
        [name, tensor["dtype"], tensor["shape"], hashlib.sha256(tensor["data"]).hexdigest()]
        for name, tensor in safetensors.deserialize(data)
    ]
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(data)
        file.flush()
        with safetensors.safe_open(file.name, framework="np") as opened:
            metadata = opened.metadata() or {}
    tensors.sort(key=lambda tensor: tensor[0].encode())
    pairs = sorted(metadata.items(), key=lambda pair: pair[0].encode())
    text = json.dumps([tensors, pairs], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def verdict(data: bytes) -> dict:
    try:
        return {"accepted": digest(data)}
    except Exception as error:  # the library has one class of its own, and raises others besides
        return {"refused": str(error).removeprefix("Error while deserializing: ")}


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        corpus = file.read()
    verdicts = []
    at = 0
    while at < len(corpus):
        (length,) = struct.unpack_from("<I", corpus, at)
        verdicts.append(verdict(corpus[at + 4 : at + 4 + length]))
        at += 4 + length
    json.dump(verdicts, sys.stdout)


main()
