"""Compares GGUF files that "retune export" wrote with those of llama.cpp's own tools on the same merged weights: every
tensor's name, type, shape and bytes, and the metadata. Run by hand; it needs a checkout of llama.cpp and prints what
differs.

    python tests/reference/check_gguf.py LLAMA_CPP MERGED_F32_FOLDER OURS_F32.gguf OURS_F16.gguf OURS_Q8_0.gguf …

MERGED_F32_FOLDER is the output of "retune export --to merged --type f32". Needs torch, transformers and numpy.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

llama, merged, *files = map(Path, sys.argv[1:])
sys.path[:0] = [str(llama / "gguf-py"), str(llama)]
from gguf import GGUFReader  # noqa: E402
from gguf.constants import LlamaFileType  # noqa: E402

# The converter knows tokenizers by the hash of what they make of a text, and small test tokenizers are not among them.
DRIVER = """
import sys, runpy
sys.path[:0] = [{gguf!r}, {llama!r}]
from conversion.base import TextModel
TextModel.get_vocab_base_pre = lambda self, tokenizer: {pre!r}
sys.argv = ["convert_hf_to_gguf.py", {merged!r}, "--outfile", {out!r}, "--outtype", {kind!r}]
runpy.run_path({script!r}, run_name="__main__")
"""


def value(field):
    return field.contents()


def convert(kind, pre, folder):
    out = str(Path(folder) / f"{kind}.gguf")
    code = DRIVER.format(
        gguf=str(llama / "gguf-py"),
        llama=str(llama),
        pre=pre,
        merged=str(merged),
        out=out,
        kind=kind,
        script=str(llama / "convert_hf_to_gguf.py"),
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return out


def main():
    for path in files:
        ours = GGUFReader(path)
        pre = value(ours.fields["tokenizer.ggml.pre"])
        kind = {0: "f32", 1: "f16", 7: "q8_0", 32: "bf16"}[value(ours.fields["general.file_type"])]
        with tempfile.TemporaryDirectory() as folder:
            theirs = GGUFReader(convert(kind, pre, folder))
            names = {t.name: t for t in theirs.tensors}
            same = 0
            for tensor in ours.tensors:
                other = names.pop(tensor.name, None)
                if other is None:
                    print(path.name, "only ours:", tensor.name)
                elif tensor.tensor_type != other.tensor_type or list(tensor.shape) != list(other.shape):
                    print(path.name, tensor.name, tensor.tensor_type, other.tensor_type, tensor.shape, other.shape)
                elif not np.array_equal(tensor.data, other.data):
                    print(path.name, tensor.name, "bytes differ:", np.mean(tensor.data != other.data))
                else:
                    same += 1
            print(path.name, f"{same} tensors equal to the last byte", "only theirs:", sorted(names) or "none")
            for key in sorted(set(ours.fields) | set(theirs.fields)):
                a = value(ours.fields[key]) if key in ours.fields else "-"
                b = value(theirs.fields[key]) if key in theirs.fields else "-"
                if a != b and not key.startswith("GGUF."):
                    print("   ", key, str(a)[:60], "|", str(b)[:60])


main()
