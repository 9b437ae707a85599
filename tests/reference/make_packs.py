"""Golden values for src/train/packs.ts: which rows TRL packs together.

Usage: python make_packs.py TRL_REPOSITORY OUT.json   (TRL 1.0's trl/data_utils.py; no packages)

Only the sequence search of _pack_bfd and its segment tree are run, on lengths alone, since the whole function works on
tables of pyarrow.
"""
import ast, json, os, random, sys
from collections import defaultdict, deque

TREE = ast.parse(open(os.path.join(sys.argv[1], "trl/data_utils.py")).read())
SCOPE = {"defaultdict": defaultdict, "deque": deque}
for node in TREE.body:
    if isinstance(node, ast.ClassDef) and node.name == "_SegmentTree":
        exec(compile(ast.Module([node], []), "trl", "exec"), SCOPE)
    if isinstance(node, ast.FunctionDef) and node.name == "_pack_bfd":
        # From the segment tree to the end of the loop.
        names = [ast.unparse(s).split(" = ")[0].split("(")[0] for s in node.body]
        begin = names.index("segment_tree")
        loop = next(i for i, s in enumerate(node.body) if isinstance(s, ast.For))
        SEARCH = node.body[begin : loop + 1]


class Lengths:
    def __init__(self, pairs):
        self.columns = list(zip(*pairs))

    def field(self, i):
        return self

    def to_numpy(self):
        return self.columns.pop(0)


def pack(lengths, capacity):
    bins = []
    for begin in range(0, len(lengths), 1000):
        pairs = [(n, begin + i) for i, n in enumerate(lengths[begin : begin + 1000])]
        scope = {**SCOPE, "seq_length": capacity, "lengths": Lengths(sorted(pairs, key=lambda p: -p[0]))}
        exec(compile(ast.Module(SEARCH, []), "trl", "exec"), scope)
        bins += [[int(i) for i in b["ids"]] for b in scope["bins"]]
    return bins


def case(lengths, capacity):
    return dict(lengths=lengths, capacity=capacity, packs=pack(lengths, capacity))


rng = random.Random(5)
cases = [case([5, 2, 3, 1], 5), case([4, 4, 4], 4), case([1] * 9, 4), case([2, 2, 2, 3, 3, 5, 1, 1], 7), case([rng.randint(1, 64) for _ in range(60)], 64),
    case([rng.randint(2, 300) for _ in range(300)], 512), case([rng.randint(2, 60) for _ in range(1100)], 64)]
json.dump(cases, open(sys.argv[2], "w"), separators=(",", ":"))
