"""Writes fixtures/ as pyarrow writes them for the datasets package: python makeFixtures.py (needs pyarrow, Pillow)."""

import io
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

here = pathlib.Path(__file__).parent / "fixtures"
names = ["cat", "dog", "owl"]
features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
metadata = {"huggingface": json.dumps({"info": {"features": features}})}
image_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(row):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (row, 2 * row, 255 - row)).save(buffer, "PNG")
    return buffer.getvalue()


def table(rows, label=lambda row: row % 3, label_type=pa.int64(), image=image_type):
    is_struct = pa.types.is_struct(image)
    images = [{"bytes": png(row), "path": f"{row}.png"} if is_struct else png(row) for row in rows]
    schema = pa.schema([("image", image), ("label", label_type)], metadata=metadata)
    return pa.table([pa.array(images, image), pa.array([label(row) for row in rows], label_type)], schema=schema)


def parquet(path, rows, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(rows), path, row_group_size=4, **options)


def stream(path, rows, batch=4, writer=pa.ipc.new_stream, data=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = table(rows) if data is None else data
    options = pa.ipc.IpcWriteOptions(**options)
    with pa.OSFile(str(path), "wb") as sink, writer(sink, data.schema, options=options) as out:
        for part in data.to_batches(max_chunksize=batch):
            out.write_batch(part)


hub = here / "hub" / "data"
parquet(hub / "train-00000-of-00002.parquet", range(0, 10))
parquet(hub / "train-00001-of-00002.parquet", range(10, 16))
parquet(hub / "test-00000-of-00001.parquet", range(16, 19))
for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    parquet(here / "codecs" / f"{codec}.parquet", range(6), compression=codec)
parquet(here / "codecs" / "plain.parquet", range(6), use_dictionary=False)
parquet(here / "codecs" / "pages2.parquet", range(6), data_page_version="2.0", write_page_index=True)

saved = here / "saved"
stream(saved / "train" / "data-00000-of-00002.arrow", range(0, 10))
stream(saved / "train" / "data-00001-of-00002.arrow", range(10, 16))
(saved / "dataset_dict.json").write_text(json.dumps({"splits": ["train"]}))
files = [{"filename": f"data-0000{i}-of-00002.arrow"} for i in range(2)]
(saved / "train" / "state.json").write_text(json.dumps({"_data_files": files, "_split": "train"}))
(saved / "train" / "dataset_info.json").write_text(json.dumps({"features": features}))

stream(here / "cache" / "toy-train.arrow", range(6))
stream(here / "kinds" / "file.arrow", range(6), writer=pa.ipc.new_file)
stream(here / "kinds" / "binary.arrow", range(6), data=table(range(6), image=pa.large_binary()))
text = table(range(6), label=lambda row: names[row % 3], label_type=pa.string()).replace_schema_metadata(None)
stream(here / "kinds" / "text.arrow", range(6), data=text)
hidden = table(range(6), label=lambda row: -1, label_type=pa.int32())
stream(here / "kinds" / "hidden.arrow", range(6), data=hidden)
gaps = pa.array([None if row == 1 else {"bytes": None if row == 2 else png(row), "path": None} for row in range(6)], image_type)
stream(here / "kinds" / "gaps.arrow", range(6), data=table(range(6)).set_column(0, "image", gaps))

for codec in ["lz4", "zstd"]:
    stream(here / "packed" / f"{codec}.arrow", range(6), compression=codec)
    stream(here / "packed" / f"{codec}-gaps.arrow", range(6), data=table(range(6)).set_column(0, "image", gaps), compression=codec)


def dictionaries(path, columns, writer=pa.ipc.new_stream, **options):
    """A batch for each pair of rows; every batch has its own dictionary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = table(range(6)).column("image").combine_chunks()
    batches = []
    for i, column in enumerate(columns):
        schema = pa.schema([("image", image_type), ("label", column.type)])
        batches.append(pa.record_batch([images[2 * i : 2 * i + 2], column], schema=schema))
    with pa.OSFile(str(path), "wb") as sink, writer(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
        for batch in batches:
            out.write_batch(batch)


def indexed(positions, values, index=pa.int8()):
    return pa.DictionaryArray.from_arrays(pa.array(positions, index), values)


# Rows are cat, dog, owl, cat, dog, owl.
replaced = [indexed([0, 1], names[:2]), indexed([1, 0], ["cat", "owl"]), indexed([0, 1], ["dog", "owl"])]
growing = [indexed([0, 1], names[:2]), indexed([2, 0], names), indexed([1, 2], names)]
same = [indexed([0, 1], names, pa.uint16()), indexed([2, 0], names, pa.uint16()), indexed([1, 2], names, pa.uint16())]
dictionaries(here / "packed" / "replaced.arrow", replaced)
dictionaries(here / "packed" / "growing.arrow", growing, emit_dictionary_deltas=True, compression="zstd")
dictionaries(here / "packed" / "file.arrow", same, writer=pa.ipc.new_file, compression="lz4")
numbers = [indexed(row, pa.array([0, 1, 2], pa.int64()), pa.int32()) for row in ([0, 1], [2, 0], [1, 2])]
dictionaries(here / "packed" / "numbers.arrow", numbers)

# Columns that nobody asks for, of types that are laid out in ways of their own, in front of and behind those that are.
count = 6
bits = pa.array([0] * count, pa.int8())
others = {
    "views": pa.array([f"more than twelve bytes {row}" for row in range(count)], pa.string_view()),
    "lists": pa.array([[row] for row in range(count)], pa.list_view(pa.int8())),
    "runs": pa.RunEndEncodedArray.from_arrays([2, count], [1, 2]),
    "sparse": pa.UnionArray.from_sparse(bits, [pa.array(range(count))]),
    "dense": pa.UnionArray.from_dense(bits, pa.array(range(count), pa.int32()), [pa.array(range(count))]),
    "map": pa.array([[("a", 1)]] * count, pa.map_(pa.string(), pa.int8())),
    "nothing": pa.nulls(count),
}
seen = table(range(count))
viewed = pa.StructArray.from_arrays(
    [pa.array([png(row) for row in range(count)], pa.binary_view()), pa.array([f"{row}.png" for row in range(count)], pa.string_view())],
    ["bytes", "path"],
)
spelled = [names[row % 3] + " in more than twelve bytes" * (row % 3 == 2) for row in range(count)]
stream(here / "views" / "others.arrow", [], batch=4, data=pa.table({**others, "image": seen["image"], **{f"{key} again": value for key, value in others.items()}, "label": seen["label"]}))
stream(here / "views" / "viewed.arrow", [], batch=4, data=pa.table({"image": viewed, "label": pa.array(spelled, pa.string_view())}), compression="zstd")
# Dictionaries whose values have buffers of their own: lists before everything else, views for the classes.
lists = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 3, pa.int8()), pa.array([[1, 2], [3]], pa.list_(pa.int32())))
kinds = pa.DictionaryArray.from_arrays(pa.array([row % 3 for row in range(count)], pa.int8()), pa.array(spelled[:3], pa.string_view()))
stream(here / "views" / "dictionaries.arrow", [], batch=4, data=pa.table({"lists": lists, "image": seen["image"], "label": kinds}))


def labeled(name, labels, **options):
    data = pa.table({"image": seen["image"], "label": labels})
    (here / "labels").mkdir(exist_ok=True)
    pq.write_table(data, here / "labels" / f"{name}.parquet", **options)
    stream(here / "labels" / f"{name}.arrow", [], batch=4, data=data)


labeled("fractions", pa.array([0, 0.3, 0.6, 1, 1.5, 2.1]))
labeled("floats", pa.array([0.0, 1.0, 2.0] * 2, pa.float32()))
labeled("halves", pa.array([0, 1, 2] * 2).cast(pa.float16()))
labeled("booleans", pa.array([True, False, True, True, False, True]))
labeled("onlytrue", pa.array([True] * count))
labeled("gaps", pa.array([0.0, 1.0, float("nan")] * 2))
labeled("empty", pa.nulls(count, pa.string()))
labeled("dates", pa.array(range(count), pa.date32()))
labeled("lists", pa.array([[row] for row in range(count)]))
labeled("large", pa.array([10**6 * row for row in range(count)]))
labeled("times", pa.array(range(count), pa.time32("ms")))
labeled("latin1", pa.array(["é".encode("latin-1"), "è".encode("latin-1")] * 3))
labeled("bytes", pa.array([b"a", b"b", b"c"] * 2))

# A path column without any path: its dictionary is empty, which LZ4 packs into the single byte 0.
for codec in ["snappy", "gzip", "brotli", "zstd", "lz4"]:
    pathless = pa.array([{"bytes": png(row), "path": None} for row in range(count)], image_type)
    data = seen.set_column(0, "image", pathless)
    (here / "nullpath").mkdir(exist_ok=True)
    pq.write_table(data, here / "nullpath" / f"{codec}.parquet", compression=codec, row_group_size=4)
pq.write_table(data, here / "nullpath" / "lz4-pages2.parquet", compression="lz4", data_page_version="2.0")

# One text that very many rows have, as bytes through a dictionary: a few bytes of file for each of them.
rows = 30_000
kinds = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), [b"a name of " + b"very, " * 500 + b"many letters"])
noise = pa.array([hash_of.to_bytes(1, "little") for hash_of in [(row * row * 31 + row // 7) % 251 for row in range(rows)]], pa.binary(1))
data = pa.table({"image": pa.array([{"bytes": None, "path": "0.png"}] * rows, image_type), "label": kinds, "noise": noise})
pq.write_table(data, here / "labels" / "repeated.parquet", compression={"image": "zstd", "label": "zstd", "noise": "none"}, use_dictionary=["image.path", "image.bytes", "label"], store_schema=False)
