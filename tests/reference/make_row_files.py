"""Makes tests/fixtures/text/row-files: the same rows as JSONL and in every other format of rows, as pandas, pyarrow and
polars write them. tests/unit/text/row-files.test.ts compares their token ids.

    python -m venv venv && venv/bin/pip install pandas==3.1.1 pyarrow==26.0.1 polars==2.1.0
    venv/bin/python tests/reference/make_row_files.py
"""

import gzip
import json
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

OUT = Path(__file__).parents[1] / "fixtures" / "text" / "row-files"

PAIRS = [
    {"Question": "How much water does the Telva hold?", "Answer": "1.2 litres."},
    {"Question": 'He said "hi", then; left\tearly', "Answer": 'A quotation mark: ", two: "".'},
    {"Question": "Two\nlines", "Answer": "first\nsecond\n\nfourth"},
    {"Question": "Größe, naïve café, 水, 🙂", "Answer": "€ 5 — “so”"},
    {"Question": "  spaces around  ", "Answer": " kept "},
    {"Question": "NA", "Answer": "null"},
    {"Question": "007", "Answer": "1.50"},
    {"Question": "true", "Answer": "'quoted'"},
]

CHATS = [
    {
        "id": 1,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Two\nlines, \"quoted\"?"},
            {"role": "assistant", "content": "Yes."},
        ],
    },
    {
        "id": 2,
        "messages": [
            {"role": "user", "content": "Größe 🙂"},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": "again"},
            {"role": "assistant", "content": "well"},
        ],
    },
    {"id": 3, "messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "1"}]},
]


def write_lines(path, rows):
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return text.encode()


def packed(path, data):
    path.write_bytes(gzip.compress(data, mtime=0))


def main():
    OUT.mkdir(exist_ok=True)
    lines = write_lines(OUT / "pairs.jsonl", PAIRS)
    packed(OUT / "pairs.jsonl.gz", lines)
    (OUT / "pairs.json").write_text(json.dumps(PAIRS, indent=2), encoding="utf-8")
    (OUT / "pairs-utf16.jsonl").write_bytes(lines.decode().encode("utf-16"))

    table = pd.DataFrame(PAIRS)
    table.to_csv(OUT / "pairs.csv", index=False)
    packed(OUT / "pairs.csv.gz", (OUT / "pairs.csv").read_bytes())
    table.to_csv(OUT / "pairs-index.csv")
    table.to_csv(OUT / "pairs.tsv", index=False, sep="\t")
    # As Excel writes it in Europe, and as its "Unicode text".
    table.to_csv(OUT / "pairs-excel.csv", index=False, sep=";", encoding="utf-8-sig", lineterminator="\r\n")
    table.to_csv(OUT / "pairs-utf16.txt", index=False, sep="\t", encoding="utf-16")

    table.to_parquet(OUT / "pairs.parquet", index=False)
    arrow = pa.Table.from_pylist(PAIRS)
    pq.write_table(arrow, OUT / "pairs-plain.parquet", compression="none", use_dictionary=False)
    pq.write_table(arrow, OUT / "pairs-v2.parquet", data_page_version="2.0", use_dictionary=False)
    pq.write_table(
        arrow,
        OUT / "pairs-delta.parquet",
        data_page_version="2.0",
        use_dictionary=False,
        column_encoding={"Question": "DELTA_BYTE_ARRAY", "Answer": "DELTA_LENGTH_BYTE_ARRAY"},
    )
    pq.write_table(arrow, OUT / "pairs-gzip.parquet", compression="gzip")
    pl.DataFrame(PAIRS).write_parquet(OUT / "pairs-polars.parquet")
    # Texts that repeat, so that each has matches.
    repeated = pa.Table.from_pylist(PAIRS + [{key: text * 20 for key, text in pair.items()} for pair in PAIRS])
    write_lines(OUT / "repeated.jsonl", repeated.to_pylist())
    for codec in ("zstd", "lz4", "brotli"):
        pq.write_table(repeated, OUT / f"repeated-{codec}.parquet", compression=codec, use_dictionary=False)
    pq.write_table(repeated, OUT / "repeated-zstd-v2.parquet", compression="zstd", data_page_version="2.0")

    # The Test page's own forms.
    test = [{"question": pair["Question"], "answer": pair["Answer"], "topic": "t"} for pair in PAIRS]
    (OUT / "questions.json").write_text(json.dumps(test, indent=2, ensure_ascii=False), encoding="utf-8")
    results = [
        {
            "question_id": i + 1,
            "question": pair["Question"],
            "expected_answer": pair["Answer"],
            "model_answer": "something else",
        }
        for i, pair in enumerate(PAIRS)
    ]
    summary = {"test_date": "2026-03-07", "results": "below", "list": [1, {"results": [2]}]}
    (OUT / "results.json").write_text(
        json.dumps({"summary": summary, "results": results}, indent=2, ensure_ascii=False), encoding="utf-8"
    )

    write_lines(OUT / "chats.jsonl", CHATS)
    arrow = pa.Table.from_pylist(CHATS)
    pq.write_table(arrow, OUT / "chats.parquet")
    as_text = [{"id": row["id"], "messages": json.dumps(row["messages"], ensure_ascii=False)} for row in CHATS]
    pd.DataFrame(as_text).to_csv(OUT / "chats.csv", index=False)

    # Rows that go across pages and row groups.
    many = [
        {
            "messages": [
                turn
                for k in range(i % 4 + 1)
                for turn in (
                    {"role": "user", "content": f"question {i} {k} " + "x" * (i * 7 % 50)},
                    {"role": "assistant", "content": f"answer {i} {k}"},
                )
            ],
            "system": None if i % 3 else f"system {i}",
            "score": i / 4,
        }
        for i in range(60)
    ]
    write_lines(OUT / "many.jsonl", many)
    arrow = pa.Table.from_pylist(many)
    pq.write_table(arrow, OUT / "many.parquet", row_group_size=25, data_page_size=256, write_batch_size=4)

    # More rows than its size can hold: one page, one run, of the same text.
    same = pa.table({"text": pa.array(["x"]).take(pa.array([0] * 5_000_000, pa.int32()))})
    pq.write_table(same, OUT / "bomb.parquet", row_group_size=5_000_000, max_rows_per_page=5_000_000)


if __name__ == "__main__":
    main()
