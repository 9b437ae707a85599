"""Retune's speeds beside Python's, for peft_speed.py: its benchmark run or read, and the ratios."""
import json
import os
import re
import shlex
import subprocess
import tempfile

# All that the benchmark measures.
SECTIONS = ["counts", "ceilings", "products", "steps", "decoding", "loading"]
# Retune is to be at least as fast as the first; the second is reported beside it.
MARK, BESIDE = "NF4, checkpointing", "bf16, no checkpointing"


def one_line(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def run_retune(command, model, tokens, rounds, notes):
    """Runs Retune's benchmark by its command and gives its report, or None."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bench.json")
        call = shlex.split(command)
        if "--section" not in call:
            call += ["--section", *SECTIONS]
        call += ["--model", model, "--rounds", str(rounds), "--json", path]
        try:
            subprocess.run([*call, "--tokens", *map(str, tokens)], check=True)
            with open(path) as file:
                return json.load(file)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            notes.append(f"Retune was not measured: {one_line(error)}")
            return None


def retune_speeds(report, model, notes):
    """The rung of the steps in a report of `npm run bench`, and their tokens/s by case."""
    title = "tiny" if model == "tiny" else f"Qwen2.5-{model.upper()}"
    first, speeds = None, {}
    for section in report["sections"]:
        rung = re.match(rf"Optimizer steps of {re.escape(title)}, (\w+),", section["title"])
        # The first rung is the highest; long rows have tables of their own.
        if section["name"] == "steps" and rung and rung[1] == (first or rung[1]):
            first = rung[1]
            speeds |= {row[""]: row["tokens/s"] for row in section["rows"]}
    if first is None:
        notes.append(f"Retune's report has no steps of {title}")
    elif report.get("counts_only"):
        notes.append("Retune ran on a software device: it has no speeds")
    return first, speeds


def ratios(speeds, ways):
    """Retune's tokens/s over each way's by case; its packed rows too stand against Python's one a pass."""
    table = []
    for case, speed in speeds.items():
        over = {}
        for title, results in ways.items():
            theirs = next((r["tokens/s"] for r in results if case.split(",")[0] == r["case"]), None)
            over[title] = speed / theirs if speed and theirs else None
        table.append({"case": case, "retune tokens/s": speed, "over": over})
    return table


def show(x, digits=0):
    return "–" if x is None else f"{x:,.{digits}f}"


def times(ratio):
    return "–" if ratio is None else f"{show(ratio, 2)}×"


def print_ratios(report, mixed, titles):
    table = report["ratios"]
    print(f"\nRetune's tokens/s ({report['retune rung']}; {report['retune device']}) and their ratio to each way's")
    print(f"  {'':<26}{'Retune':>8}" + "".join(f"{title:>24}" for title in titles))
    for row in table:
        over = "".join(f"{times(row['over'].get(title)):>24}" for title in titles)
        print(f"  {row['case']:<26}{show(row['retune tokens/s']):>8}{over}")
    for row in table:
        if row["case"] == f"{mixed}, packed":
            print(f"\nRetune, {row['case']}, against Python's {mixed}, one a pass:")
            print(f"  {times(row['over'].get(MARK))} {MARK}: decoded at each use, batch 1 × 16 (the mark: ≥ 1×)")
            print(f"  {times(row['over'].get(BESIDE))} {BESIDE} (reported beside it)")
