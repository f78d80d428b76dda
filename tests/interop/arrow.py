"""Writes Arrow files as pyarrow compresses them, to a folder: images whose bytes are random or repeat themselves."""

import json
import random
import sys

import pyarrow as pa

folder = sys.argv[1]
random.seed(0)
names = [f"n{i:08d}" for i in range(300)]
rows = 700
noise = random.randbytes(400_000)


def image(row):
    """Random bytes, runs of one byte, and what earlier images had, so that LZ4's blocks refer to each other."""
    start = random.randrange(len(noise) - 3000)
    return noise[start : start + random.randrange(3000)] + bytes([row % 251]) * random.randrange(2000) + b"end"


images = [None if row % 97 == 5 else image(row) for row in range(rows)]
labels = [names[row * 7 % 300] for row in range(rows)]
image = pa.array([{"bytes": one, "path": None} for one in images], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
columns = {
    "text": pa.array(labels),
    "dictionary": pa.array(labels).dictionary_encode(),
    "number": pa.array([int(label[1:]) for label in labels], pa.int16()),
}
for codec in ["lz4", "zstd"]:
    for kind, column in columns.items():
        for ending, writer in [("stream", pa.ipc.new_stream), ("file", pa.ipc.new_file)]:
            table = pa.table({"image": image, "label": column})
            options = pa.ipc.IpcWriteOptions(compression=codec)
            with pa.OSFile(f"{folder}/{codec}-{kind}-{ending}.arrow", "wb") as sink:
                with writer(sink, table.schema, options=options) as out:
                    out.write_table(table, max_chunksize=256)
hexes = [None if one is None else one.hex() for one in images]
json.dump({"images": hexes, "labels": labels}, open(f"{folder}/expected.json", "w"))
print("true")
