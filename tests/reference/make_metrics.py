"""Fixed answers with their scores: token F1 by transformers' SQuAD metrics, ROUGE-L and exact match by plain Python,
bootstrap intervals by numpy.

Usage: python make_metrics.py OUT.json   (pip install transformers numpy; made with 5.18, 2.4)
"""
import json
import random
import re
import sys

import numpy
from transformers.data.metrics.squad_metrics import compute_f1

WORDS = (
    "the a an The An of in shelf Shelf 35 35.5 3,5 it's well-known «x» Kraków Krako\u0301w 東京 café naïve don't U.S. "
    "costs € - ( ) _under_ go stop red fox MIXED mixed A.B \u00a0 \u2014 \u200b"
).split(" ")


def rouge_l(answer: str, expected: str) -> float:
    """rouge_score's rougeL without stemming: F1 over the longest common subsequence of runs of [a-z0-9]."""
    a, b = (re.findall("[a-z0-9]+", text.lower()) for text in (answer, expected))
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    common = table[-1][-1]
    if common == 0:
        return 0.0
    precision, recall = common / len(a), common / len(b)
    return 2 * precision * recall / (precision + recall)


def sentence(source: random.Random) -> str:
    return source.choice([" ", "  ", "\n"]).join(source.choice(WORDS) for _ in range(source.randrange(14)))


def variant(source: random.Random, text: str) -> str:
    words = text.split(" ")
    for _ in range(source.randrange(4)):
        words[source.randrange(len(words))] = source.choice(WORDS)
    return " ".join(words)


def interval(differences: list[float]) -> list[float]:
    source = numpy.random.default_rng(1)
    draws = source.choice(differences, size=(200_000, len(differences)))
    return numpy.quantile(draws.mean(axis=1), [0.025, 0.975]).tolist()


def main() -> None:
    source = random.Random(20)
    pairs = []
    for _ in range(60):
        expected = sentence(source)
        answer = variant(source, expected) if source.random() < 0.7 else sentence(source)
        pairs.append(
            {
                "answer": answer,
                "expected": expected,
                "exact": answer.strip() == expected.strip(),
                "f1": float(compute_f1(expected, answer)),
                "rouge_l": rouge_l(answer, expected),
            }
        )
    samples = [
        [float(source.choice([-1, 0, 0, 0, 1, 1])) for _ in range(40)],
        [source.uniform(-0.3, 0.5) for _ in range(25)],
        [source.uniform(-1, 0.2) for _ in range(100)],
    ]
    bootstrap = [{"differences": d, "interval": interval(d)} for d in samples]
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write(json.dumps({"pairs": pairs, "bootstrap": bootstrap}, indent=1) + "\n")


if __name__ == "__main__":
    main()
