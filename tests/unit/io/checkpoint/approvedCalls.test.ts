import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { type HostTensor, type StateDict, streamOf } from "../../../../src/core/hostTensor";
import { StoredTensor } from "../../../../src/io/bytes";
import { memorySource } from "../../../../src/io/bytes/byteSource";
import { keepCheckpoint, openCheckpoint, readMaeCheckpoint } from "../../../../src/io/checkpoint";
import { CONFIG_FILES, openCheckpointAt } from "../../../../src/io/checkpoint/checkpoint";
import { digitsOf, ggufModels, ggufPartsOf } from "../../../../src/io/checkpoint/ggufNames";
import { refuseLonePart } from "../../../../src/io/checkpoint/ggufParts";
import { joinTensors } from "../../../../src/io/checkpoint/joinTensors";
import { isParallelPart } from "../../../../src/io/checkpoint/parallelParts";
import { kindOf, openWeightPart } from "../../../../src/io/checkpoint/part";
import { chooseWeights, exists, localPlace } from "../../../../src/io/checkpoint/place";
import {
  CONFIG_FILE,
  keepWeights,
  MODEL_FILE,
  readConfig,
  writeSavedModel,
  writeWeights,
} from "../../../../src/io/checkpoint/savedModel";
import { openShardIndex } from "../../../../src/io/checkpoint/shardIndex";
import { unwrap, unwrapUnder, withoutWrappers } from "../../../../src/io/checkpoint/wrappers";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { writeTorchCheckpoint } from "../../../../src/io/torch";
import { Calls } from "../../../support/calls";
import { describe, float32, ggufSplit, written } from "../ggufModel";
import { ggufFile, u16 } from "../ggufWriter";
import { partOf } from "../parallelModel";
import { eighths, temporaryFolder, tinyLanguageModel, withoutEnginesWords } from "../support";
import { dict, dictPickle, integer, tensorOpcodes, text, torchZip } from "../torchWriter";

const told = (tensors: ReadonlyMap<string, HostTensor>) =>
  [...tensors].map(([name, { shape, dtype, problem }]) => `${name} ${dtype} [${shape}] ${problem ?? ""}`);
const numbers = (tensors: ReadonlyMap<string, HostTensor>) =>
  [...tensors].map(
    ([name, tensor]) =>
      `${name} [${tensor.shape}] ${tensor.data.reduce((sum, x, i) => sum + x * (1 + (i % 7)), 0).toFixed(3)}`,
  );

test("names of parts and of weights are approved", async () => {
  const calls = new Calls();
  for (const path of [
    "a/m-00001-of-00003.gguf",
    "m-00003-of-00003.gguf",
    "m-00004-of-00003.gguf",
    "m-00000-of-00003.gguf",
    "m-00001-of-00001.gguf",
    "m-00001-of-00002.GGUF",
    "m-1-of-3.gguf",
    "m-00001-of-00002.gguf.x",
    "-00001-of-00002.gguf",
    "a\nb-00002-of-00002.gguf",
    "",
    "m.gguf",
  ])
    await calls.of(ggufPartsOf, path);
  for (const names of [
    [],
    ["a.gguf"],
    ["m-00002-of-00002.gguf", "m-00001-of-00002.gguf", "b.gguf", "c.bin"],
    ["m-00002-of-00002.gguf", "n-00001-of-00002.gguf"],
    ["a.GGUF"],
  ])
    await calls.of(ggufModels, names);
  for (const part of [0, 1, 12345, 123456]) await calls.of(digitsOf, part);
  for (const name of [
    "consolidated.00.pth",
    "consolidated.99.pth",
    "consolidated.0.pth",
    "consolidated.000.pth",
    "consolidated.00.pt",
    "xconsolidated.00.pth",
  ])
    await calls.of(isParallelPart, name);
  for (const [number, count] of [
    [0, 2],
    [4, 12],
    [0, 1],
    [0, 0],
    [undefined, undefined],
    [undefined, 3],
    ["1", "2"],
  ])
    await calls.does(`lone part ${number} of ${count}`, () =>
      refuseLonePart(
        "x",
        new Map(
          Object.entries({ "split.no": number, "split.count": count }).filter(
            ([, value]) => value !== undefined,
          ),
        ) as never,
      ),
    );
  calls.note("configs", CONFIG_FILES);
  calls.note("saved", [MODEL_FILE, CONFIG_FILE]);
  const all = [
    "b.pth",
    "a.pth",
    "consolidated.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "model.safetensors",
    "model.safetensors.index.json",
  ];
  for (let count = 0; count <= all.length; count++) await calls.of(chooseWeights, "f", all.slice(0, count));
  for (const present of [
    ["m.gguf"],
    ["m.gguf", "n.gguf"],
    ["m-00002-of-00002.gguf", "m-00001-of-00002.gguf"],
    ["x.pt", "y.ckpt"],
    Array.from({ length: 30 }, (_, i) => `f${i}`),
  ])
    await calls.of(chooseWeights, "f", present);
  calls.approve("io/checkpoint/names");
});

test("joining tensors, and taking wrappers from names, are approved", async () => {
  const calls = new Calls();
  const parts = [
    eighths([2, 3]),
    { shape: [1, 3], data: Float32Array.of(7, 8, 9) },
    { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
  ];
  const plain = ({ shape, data, dtype }: HostTensor) => [dtype, shape, data];
  await calls.does("rows", () => plain(joinTensors(parts, 0)));
  await calls.does("columns", () =>
    plain(joinTensors([parts[0], { shape: [2, 1], data: Float32Array.of(7, 8) }, parts[2]], 1)),
  );
  await calls.does("middle", () => plain(joinTensors([eighths([2, 1, 2]), eighths([2, 2, 2])], 1)));
  await calls.does("one", () => joinTensors([parts[0]], 0) === parts[0]);
  const stored = (bytes: number[]) => new StoredTensor([2, bytes.length / 4], "BF16", Uint8Array.from(bytes));
  await calls.does("halves", () => {
    const joined = joinTensors(
      [stored([0, 63, 128, 63, 0, 64, 64, 64]), stored([128, 64, 160, 64])],
      1,
    ) as StoredTensor;
    return [joined instanceof StoredTensor, joined.bytes, ...plain(joined)];
  });
  await calls.does("a half and a float", () =>
    plain(joinTensors([stored([0, 63, 128, 63]), { ...eighths([2, 1]), dtype: "BF16" }], 0)),
  );
  calls.title("wrappers");
  const lists = [
    [],
    ["a"],
    ["a.b"],
    ["module.a", "module.b"],
    ["module.a", "b"],
    ["module._orig_mod.a.x", "module._orig_mod.b"],
    ["model.a", "model.b.c", "n_averaged"],
    ["module.a", "n_averaged"],
    ["_orig_mod.module.model.base_encoder.a", "_orig_mod.module.model.base_encoder.b"],
    ["module.base_encoder.a", "module.momentum_encoder.a", "module.predictor.b"],
    ["base_encoder.a", "other.b"],
    ["momentum_encoder.a", "predictor.b"],
    ["student.a", "student.b", "teacher.a"],
    ["a.1", "b.1", "c.1", "d.1", "e.1", "f.1"],
    ["a.1", "b.1", "c.1", "d.1", "e.1", "e.2"],
    ["a.1", "a.2"],
    ["a.1", ".b"],
    ["module."],
    ["module.module.a"],
  ];
  for (const list of lists) {
    await calls.of(unwrap, list);
    await calls.of(unwrap, list, "", ["module.", "_orig_mod."]);
  }
  await calls.of(unwrap, ["x.module.a", "x.b", "y.c"], "x.");
  await calls.of(unwrap, ["x.module.a", "x.module.b", "y.c"], "x.");
  for (const key of ["x", "y", "z", "x.module", ""])
    await calls.of(unwrapUnder, "f", ["x.module.a", "x.module.b", "y.c"], key);
  const file = (names: string[]) => ({
    names,
    source: "s",
    info: async (name: string) => ({ shape: [name.length], dtype: "F32" }),
    infos: async (names: string[]) => new Map(names.map((name) => [name, name])),
    readTensors: async (names: string[], seen?: (name: string, tensor: unknown) => void) => {
      for (const name of names) seen?.(name, name);
      return new Map(names.map((name) => [name, name]));
    },
    close: async () => "closed",
  });
  for (const names of [["module.a", "module.b.c"], ["model.a", "model.b"], ["module._orig_mod.a"]])
    await calls.does(`file ${names}`, async () => {
      const plain = withoutWrappers(file(names) as never);
      const seen: unknown[] = [];
      const wanted = plain.names.slice(0, 1);
      return [
        plain.names,
        plain.source,
        await plain.info(wanted[0]),
        await plain.infos(wanted),
        await plain.readTensors(wanted, (...one) => seen.push(one)),
        seen,
        await plain.close(),
        await plain.readTensors(wanted),
      ];
    });
  calls.approve("io/checkpoint/wrappers");
});

const small: StateDict = new Map([
  ["a.w", eighths([2, 3])],
  ["b", eighths([4])],
]);

test("which files are opened, and what of them, is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const put = (name: string, bytes: string | Uint8Array | number[]) => {
    writeFileSync(join(folder, name), typeof bytes === "string" ? bytes : Uint8Array.from(bytes));
    return join(folder, name);
  };
  for (const name of ["a.safetensors", "a.gguf", "a.pth", "a.pt", "a.bin", "a.pkl", "a.ckpt", "a.PTH"])
    await calls.does(name, () => kindOf(memorySource(name, new Uint8Array(0))));
  for (const [name, start] of Object.entries({
    nothing: [],
    gguf: [71, 71, 85, 70, 3],
    jpeg: [255, 216, 255, 224],
    jpeg2: [255, 216, 254, 224],
    png: [137, 80, 78, 71],
    gif: [71, 73, 70, 56],
    webp: [82, 73, 70, 70],
    zip: [80, 75, 3, 4],
    pickle: [128, 2],
    other: [1, 2, 3, 4],
  }))
    await calls.does(`begins as ${name}`, () => kindOf(memorySource("x", Uint8Array.from(start))));
  calls.title("places");
  await writeSafetensors(join(folder, "m.safetensors"), small);
  for (const path of [folder, join(folder, "m.safetensors"), join(folder, "none"), join(folder, "none", "x")])
    await calls.does(basename(path).replace(/^luvit.*/, "folder"), async () => {
      const { source, beside } = await localPlace(path);
      return [source, beside];
    });
  for (const path of [folder, join(folder, "m.safetensors"), join(folder, "none")])
    await calls.does(basename(path).replace(/^luvit.*/, "folder"), () => exists(path));
  calls.title("indices");
  for (const value of [
    "",
    "[]",
    "{}",
    '{"weight_map":[]}',
    '{"weight_map":null}',
    '{"weight_map":"x"}',
    '{"weight_map":{}}',
    '{"weight_map":{"a":"f","é":"..f"}}\r\n',
    '{"weight_map":{"a":"","b":".","c":"..","d":"x/y","e":"x\\\\y","f":"x\\u0000","g":3,"h":null,"i":"ok"}}',
  ]) {
    put("i.index.json", value);
    await calls.does(value || "empty", () => openShardIndex(join(folder, "i.index.json")));
  }
  calls.title("parts");
  const open = async (name: string, bytes: Uint8Array, options?: object) =>
    calls.does(name, async () => {
      const part = await openWeightPart(memorySource(name, bytes), options);
      return [
        part.names,
        part.names.map((each) => part.info(each)),
        part.torch && [part.torch.where, part.torch.others],
        part.ggufMetadata && [...part.ggufMetadata.keys()],
        numbers(await part.readTensors(part.names)),
      ];
    });
  const zip = torchZip(
    dictPickle({
      model: dict({ "x.w": tensorOpcodes("0", "FloatStorage", 6, [2, 3], [3, 1]) }),
      model_ema: dict({ y: tensorOpcodes("0", "FloatStorage", 6, [3], [2], 1) }),
      epoch: integer(7),
    }),
    { 0: new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer) },
  );
  await open("s.safetensors", readFileSync(join(folder, "m.safetensors")));
  await open("g", ggufFile({ k: u16(3) }, { a: float32(eighths([2, 2])) }));
  await open("t", zip);
  await open("t.pth", zip, { key: "model_ema" });
  await open("t.pth", zip, { key: "none" });
  await calls.does("unknown in torch", async () => (await openWeightPart(memorySource("t", zip))).info("x"));
  await calls.does("unknown in torch, read", async () =>
    (await openWeightPart(memorySource("t", zip))).readTensors(["x.w", "x"]),
  );
  withoutEnginesWords(calls);
  calls.approve("io/checkpoint/files");
});

test("checkpoints in one file and in several are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const open = (name: string, path: string, wanted?: readonly string[]) =>
    calls.does(name, async () => {
      const file = await openCheckpoint(path);
      const state = () => [file.files.map((each) => basename(each)), file.bytesRead];
      try {
        const first = [file.source, file.configPath, file.names.length, ...state()];
        const names = wanted ?? file.names.slice(0, 3);
        const info = await file.info(names[0]);
        const seen: string[] = [];
        const tensors = await file.readTensors(names, (each) => seen.push(each));
        return [
          ...first,
          info,
          [...(await file.infos(names)).values()],
          seen.sort(),
          numbers(tensors),
          ...state(),
          file.ggufMetadata?.size,
          file.torch?.where,
        ];
      } finally {
        await file.close();
      }
    });
  const place = (name: string) => {
    mkdirSync(join(folder, name));
    return join(folder, name);
  };
  const sharded = place("sharded");
  await writeSafetensors(join(sharded, "one.safetensors"), small);
  await writeSafetensors(
    join(sharded, "two.safetensors"),
    new Map([
      ["c", eighths([5])],
      ["b", eighths([9])],
    ]),
  );
  const index = (map: object) =>
    writeFileSync(join(sharded, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
  const keep = (name: string, path = sharded) =>
    calls.once(`kept: ${name}`, async () => {
      const { tensors, source } = await keepCheckpoint(path);
      return [source, numbers(tensors)];
    });
  const [one, two] = ["one.safetensors", "two.safetensors"];
  writeFileSync(join(sharded, "params.json"), "{}");
  index({ c: two, "a.w": one, b: one });
  await open("sharded", sharded);
  await open("only c", sharded, ["c"]);
  await open("unknown", sharded, ["c", "d", "e"]);
  await keep("sharded");
  calls.lines.push(calls.lines.pop()!.replace(/ \(leaves.*/, ""));
  writeFileSync(join(sharded, "config.json"), "{}");
  index({ c: two, "a.w": one, b: two, d: one, e: "three.safetensors", f: "three.safetensors" });
  await open("other places", sharded, ["b"]);
  await open("not in its file", sharded, ["d"]);
  await open("no such file", sharded, ["c", "f", "e"]);
  await keep("no such file");
  index({ c: two, "a.w": one, b: two, d: one });
  await keep("not in its file");
  for (const damage of ["no weights", "GGUF", "PNG"]) {
    const path = join(sharded, damage);
    writeFileSync(path, damage === "PNG" ? Uint8Array.of(137, 80, 78, 71) : damage);
    await keep(`${damage} alone`, path);
    index({ c: two, x: damage });
    await keep(`${damage} after a good one`);
  }
  writeFileSync(join(sharded, "t.pth"), "PK no zip");
  await keep("a damaged zip", join(sharded, "t.pth"));
  const pth = join(sharded, "u.pth");
  await writeTorchCheckpoint(pth, small);
  truncateSync(pth, readFileSync(pth).length - 30);
  await keep("a torch file cut off", pth);
  calls.title("Meta's parts");
  const model = tinyLanguageModel(1);
  const meta = place("meta");
  const wanted = [
    "tok_embeddings.weight",
    "layers.0.attention.wo.weight",
    "layers.0.attention.wq.weight",
    "norm.weight",
    "output.weight",
  ];
  for (const axis of [0, 1] as const) {
    for (const part of [0, 1])
      await writeTorchCheckpoint(join(meta, `consolidated.0${part}.pth`), partOf(model, part, 2, axis), {
        dtype: axis ? "BF16" : "F32",
      });
    await open(`embeddings by ${axis ? "width" : "tokens"}`, meta, wanted);
  }
  await open("from the second", join(meta, "consolidated.01.pth"), ["norm.weight"]);
  await writeTorchCheckpoint(join(meta, "consolidated.02.pth"), partOf(model, 0, 2, 1));
  await open("one too many", meta, wanted);
  rmSync(join(meta, "consolidated.02.pth"));
  const changed = (change: (tensors: StateDict) => void) => {
    const tensors = new Map(partOf(model, 1, 2, 1));
    change(tensors);
    return writeTorchCheckpoint(join(meta, "consolidated.01.pth"), tensors, { dtype: "BF16" });
  };
  await changed((tensors) => void tensors.set("norm.weight", eighths([16])));
  await open("norms that differ", meta, ["layers.0.attention.wq.weight", "norm.weight"]);
  await changed((tensors) => {
    tensors.delete("output.weight");
    tensors.set("norm.weight", eighths([15]));
  });
  await open("a part that lacks one", meta, wanted);
  rmSync(join(meta, "consolidated.01.pth"));
  await open("a part missing", meta, wanted);
  calls.title("GGUF parts");
  const gguf = place("gguf");
  const parts = ggufSplit(describe("llama", 1), written(model, float32), 3);
  for (const [name, bytes] of parts) writeFileSync(join(gguf, name), bytes);
  const last = join(gguf, "model-00003-of-00003.gguf");
  await open("all", gguf);
  await open("from the last", last, ["output.weight"]);
  writeFileSync(join(gguf, "renamed.gguf"), parts.get("model-00002-of-00003.gguf")!);
  await open("one renamed", join(gguf, "renamed.gguf"));
  writeFileSync(last, parts.get("model-00002-of-00003.gguf")!);
  await open("one twice", join(gguf, "model-00001-of-00003.gguf"));
  writeFileSync(last, ggufFile({}, {}));
  await open("one of nothing", last);
  rmSync(last);
  await open("one missing", join(gguf, "model-00002-of-00003.gguf"));
  await calls.does("a source elsewhere", async () => {
    const file = await openCheckpointAt({
      source: join(gguf, "renamed.safetensors"),
      beside: [],
      exists: async () => false,
      open: async () => memorySource("m", readFileSync(join(sharded, one))),
    });
    return [file.names, file.configPath, file.files];
  });
  calls.approve("io/checkpoint/checkpoints");
});

test("saved models and MAE's checkpoints are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const config = { model: "a", dims: [2, 3], é: { x: null } };
  await calls.once("write", () => writeSavedModel(join(folder, "own"), { config, tensors: streamOf(small) }));
  const path = join(folder, "own", MODEL_FILE);
  calls.note("files", readdirSync(join(folder, "own")));
  calls.note(
    "header",
    readFileSync(path)
      .subarray(8, 8 + readFileSync(path).readUInt32LE(0))
      .toString()
      .trim(),
  );
  await calls.does("config", () => readConfig(join(folder, "own")));
  await calls.does("no config", () => readConfig(folder));
  const keep = (name: string, given?: object, from = path) =>
    calls.does(name, async () => {
      const { tensors, close } = await keepWeights(from, given as never);
      const all = numbers(tensors);
      await close();
      return all;
    });
  await keep("kept without a config");
  await keep("kept", config);
  await keep("kept, keys in another order", { é: { x: null }, dims: [2, 3], model: "a" });
  await keep("another config", { model: "b", dims: [2, 4], extra: 1 });
  await keep("no file", config, join(folder, "none"));
  await keep("a folder", config, folder);
  await writeWeights(join(folder, "bare.safetensors"), streamOf(small));
  await keep("no config in the header", config, join(folder, "bare.safetensors"));
  await writeSafetensors(join(folder, "odd.safetensors"), small, { metadata: { luvit: "{" } });
  await keep("a damaged config in the header", config, join(folder, "odd.safetensors"));
  await keep("not asked", undefined, join(folder, "odd.safetensors"));
  await calls.does("read after closing", async () => {
    const { tensors, close } = await keepWeights(path);
    await close();
    await close();
    return tensors.get("b")!.data;
  });
  calls.title("MAE");
  const mae = (name: string, file: string, options?: object) =>
    calls.does(name, async () => {
      const { tensors, ...others } = await readMaeCheckpoint(join(folder, file), options as never);
      return [others, told(tensors)];
    });
  const W = (key = "0") => tensorOpcodes(key, "FloatStorage", 6, [2, 3], [3, 1]);
  const storage = { 0: new Uint8Array(24) };
  const put = (name: string, entries: Parameters<typeof dictPickle>[0]) =>
    writeFileSync(join(folder, name), torchZip(dictPickle(entries), storage));
  put("full.pth", {
    model: dict({ "module.a": W(), "module.b": W() }),
    optimizer: dict({}),
    epoch: integer(7),
    args: dict({ lr: integer(3), name: text("x") }),
  });
  await mae("whole", "full.pth");
  put("two.pth", {
    model: dict({ a: W() }),
    model_ema: dict({ a: W() }),
    epoch: text("7"),
    args: integer(3),
  });
  await mae("two dicts", "two.pth");
  await mae("the other", "two.pth", { key: "model_ema" });
  await mae("none of them", "two.pth", { key: "x" });
  put("bare.pth", { a: W(), b: W() });
  await mae("bare", "bare.pth");
  put("student.pth", { "student.a": W(), "student.b": W(), "teacher.a": W() });
  await mae("student", "student.pth");
  await mae("student asked", "student.pth", { key: "student" });
  put("moco.pth", { state_dict: dict({ "module.base_encoder.a": W(), "module.momentum_encoder.a": W() }) });
  await mae("MoCo", "moco.pth");
  await writeSafetensors(
    join(folder, "s.safetensors"),
    new Map([
      ["backbone.a", eighths([2])],
      ["backbone.b", eighths([1])],
      ["head.w", eighths([3])],
    ]),
  );
  await mae("safetensors", "s.safetensors");
  await mae("safetensors under a name", "s.safetensors", { key: "backbone" });
  await mae("safetensors under no name", "s.safetensors", { key: "b" });
  writeFileSync(join(folder, "config.json"), "{}");
  await mae("with a config", "s.safetensors");
  for (const options of [{ key: 3 }, { keys: "x" }, null])
    await mae(JSON.stringify(options), "s.safetensors", options as never);
  await calls.does("no path", () => readMaeCheckpoint(3 as never));
  calls.lines.splice(0, calls.lines.length, ...calls.lines.map((line) => line.replace(/ < Error E.*/, "")));
  withoutEnginesWords(calls);
  calls.approve("io/checkpoint/models");
});
