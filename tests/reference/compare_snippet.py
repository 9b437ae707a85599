"""Compares two batch-test result files by the recipe's keys: every question side by side, then the totals.

python3 compare_snippet.py batch_test_V1.json batch_test_V2.json
"""
import json
import sys

AVERAGES = ("input", "output", "total")


def read(path):
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    return content["summary"], {entry["question_id"]: entry for entry in content["results"]}


def right(entry):
    return entry["model_answer"].strip() == entry["expected_answer"].strip()


def shown(entry):
    usage = entry["token_usage"]
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"], entry["question_id"]
    return f"{entry['model_answer']} ({usage['output_tokens']} tokens{', exact' if right(entry) else ''})"


def side_by_side(first, second):
    for number, a in sorted(first.items()):
        b = second[number]
        assert a["question"] == b["question"], f"question {number} differs between the files"
        print(f"{number}. [{a['topic']}; {a['difficulty']}] {a['question']}")
        print(f"   expected: {a['expected_answer']}")
        print(f"   V1: {shown(a)}")
        print(f"   V2: {shown(b)}")


def exact(name, entries):
    return f"{name} {sum(map(right, entries))}"


def totals(summaries, files):
    for name, summary, entries in zip(("V1", "V2"), summaries, files):
        used = sum(entry["token_usage"]["total_tokens"] for entry in entries.values())
        assert summary["total_questions"] == len(entries) and summary["total_tokens"] == used
        assert summary["total_input_tokens"] + summary["total_output_tokens"] == used
        print(f"{name}: {summary['model_path']}, tested {summary['test_date']}, {used} tokens")
    for kind in AVERAGES:
        v1, v2 = (summary[f"avg_{kind}_tokens_per_question"] for summary in summaries)
        print(f"{kind} tokens per question: V1 {v1:.1f}, V2 {v2:.1f}, difference {v2 - v1:+.1f}")
    by_topic = {}
    for number, entry in files[0].items():
        by_topic.setdefault(entry["topic"], []).append(number)
    for topic, numbers in [*by_topic.items(), ("all", list(files[0]))]:
        v1, v2 = (exact(name, [file[n] for n in numbers]) for name, file in zip(("V1", "V2"), files))
        print(f"exact, {topic}: {v1}, {v2} of {len(numbers)}")
    changed = [n for n in files[0] if files[0][n]["model_answer"] != files[1][n]["model_answer"]]
    print(f"answered differently: {len(changed)}")


def main():
    summaries, files = zip(*map(read, sys.argv[1:3]))
    assert files[0].keys() == files[1].keys(), "the files do not hold the same questions"
    side_by_side(*files)
    print()
    totals(summaries, files)


main()
