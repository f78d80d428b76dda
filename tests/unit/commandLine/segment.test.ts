import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { main } from "../../../src/commandLine/main";
import { segmenterFrom, trainedSegmenterFrom } from "../../../src/commandLine/segmenters";
import { startBackend } from "../../../src/core/tf";
import { classifier, mae } from "../../../src/models";
import { repository } from "../io/support";
import { readLines, temporaryFolder } from "../train/support";

const folder = temporaryFolder();
const shapes = join(repository, "data", "shapes");
const encoder = { imageSize: 64, patchSize: 16, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };
const engine = { engine: "eager" };
const semi = { images: join(shapes, "train-semi"), masks: join(shapes, "train-semi-segmentation"), take: 12 };
const held = { images: join(shapes, "val"), masks: join(shapes, "segmentation", "validation"), take: 8 };

before(() => startBackend({ backend: "wasm" }));

function config(name: string, value: object): string {
  writeFileSync(join(folder, name), JSON.stringify(value));
  return join(folder, name);
}

async function luvit(...words: string[]) {
  const lines: string[] = [];
  const hear = (line: string) => void lines.push(line);
  const status = await main(words, { print: hear, complain: hear });
  return { status, text: lines.join("\n") };
}

const training = (epochs: number, model: object = { encoder }) => ({
  model,
  data: { train: semi, validation: held },
  recipe: "segmentToy",
  options: { batchSize: 4, epochs, warmupEpochs: 0, lr: 1e-2 },
  engine,
  out: "run",
});

const inFolder = (place: string) => join(folder, place);

test("a segmenter is trained, gone on with, and scored in shards whose numbers are those of the whole", async () => {
  const file = config("train.json", training(2));
  const trained = await luvit("segment", "--config", file);
  assert.equal(trained.status, 0, trained.text);
  assert.match(trained.text, /recipe segmentToy/);
  assert.match(trained.text, /done: 6 of 6 steps/);
  const history = readLines(inFolder("run"));
  assert.equal(history.filter(({ squareMIoU }) => typeof squareMIoU === "number").length, 2);
  const again = await luvit("segment", "--config", file);
  assert.equal(again.status, 1);
  assert.match(again.text, /--resume goes on with it/);
  const resumed = await luvit("segment", "--config", file, "--resume");
  assert.equal(resumed.status, 0, resumed.text);

  const scoring = { model: { weights: "run" }, data: { shapes: held }, engine, out: "scores" };
  const evaluation = config("evaluate.json", scoring);
  const rows = (out: string) => readFileSync(join(folder, out, "shapes", "results.jsonl"), "utf8");
  for (const shard of ["1/2", "2/2"]) {
    const part = await luvit("segment", "evaluate", "--config", evaluation, "--shard", shard);
    assert.equal(part.status, 0, part.text);
    assert.match(part.text, new RegExp(`the numbers of shard ${shard} alone`));
    assert.ok(!existsSync(join(folder, "scores", "shapes", "results.jsonl")), "a shard's are not the set's");
  }
  const whole = await luvit("segment", "evaluate", "--config", evaluation);
  assert.equal(whole.status, 0, whole.text);
  assert.match(whole.text, /whole images, shorter side 73/);
  assert.doesNotMatch(whole.text, /shapes? of images/, "counted before, in the shards");
  const apart = await luvit("segment", "evaluate", "--config", evaluation, "--out", inFolder("other"));
  assert.equal(rows("scores"), rows("other"));
  assert.equal(rows("other").trim().split("\n").length, 7, apart.text);
  assert.equal(JSON.parse(rows("other").split("\n")[0]).recipe, "segmentToy", "as the run says");
  assert.ok(existsSync(join(folder, "scores", "shapes", "segmentation", "segmentation.arrow")));
});

test("a segmenter begins with the encoder of a saved model, and only its head is trained where it is frozen", async () => {
  const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
  await mae.create({ encoder, decoder, seed: 3 }).save(inFolder("mae"));
  const tuned = classifier.create({ encoder, classes: 3, seed: 4 });
  await tuned.save(inFolder("tuned"));
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  for (const [pretrained, from] of [
    ["mae", await mae.load(inFolder("mae"))],
    ["tuned", tuned],
  ] as const) {
    const model = await segmenterFrom({ pretrained, frozen: true }, inFolder, 7, say);
    const [ours, theirs] = [await model.encoder.stateDict(), await from.encoder.stateDict()];
    const key = "blocks.0.attn.qkv.weight";
    assert.deepEqual(ours.get(key)!.data, theirs.get(key)!.data, pretrained);
  }
  const model = { pretrained: "mae", frozen: true };
  const file = config("probe.json", { ...training(1, model), out: "probe" });
  const probe = await luvit("segment", "--config", file);
  assert.equal(probe.status, 0, probe.text);
  const { model: after } = await trainedSegmenterFrom({ weights: "probe" }, inFolder, say);
  const before = await mae.load(inFolder("mae"));
  const weights = async (one: typeof before | typeof after) =>
    (await one.encoder.stateDict()).get("blocks.1.mlp.fc1.weight")!.data;
  assert.deepEqual(await weights(after), await weights(before));
});

test("images are augmented as the options say", async () => {
  const losses = [];
  for (const augment of [true, false]) {
    const out = `augment-${augment}`;
    const { options, ...rest } = training(1);
    const file = config(`${out}.json`, { ...rest, options: { ...options, augment }, out });
    const { status, text } = await luvit("segment", "--config", file);
    assert.equal(status, 0, text);
    losses.push(readLines(inFolder(out))[0].loss);
  }
  assert.notEqual(losses[0], losses[1]);
});

test("a model that describes itself is not described again", async () => {
  await mae
    .create({ encoder, decoder: { dim: 16, depth: 1, heads: 2, mlpRatio: 2 } })
    .save(inFolder("described"));
  const none = () => {};
  await assert.rejects(
    segmenterFrom({ pretrained: "described", encoder }, inFolder, 7, none),
    /described says itself what its model is; leave model\.encoder/,
  );
  const fusion = { block: "none" };
  for (const [beside, out] of [
    [{ fusion }, /leave model\.fusion out$/],
    [{ fusion, encoder }, /leave model\.encoder, model\.fusion out$/],
  ] as const) {
    await assert.rejects(segmenterFrom({ pretrained: "described", ...beside }, inFolder, 7, none), out);
  }
  const weights = "described";
  await assert.rejects(
    trainedSegmenterFrom({ weights, classes: 7 }, inFolder, none),
    /leave model\.classes out/,
  );
  await assert.rejects(trainedSegmenterFrom({ weights, encoder }, inFolder, none), /model\.classes: missing/);
});

test("what is wrong with the words or the configuration is said, each with what to do", async () => {
  assert.match((await luvit("segment", "--print-config")).text, /cropped, flipped and recolored/);
  assert.match((await luvit("segment", "evaluate", "--print-config")).text, /"protocol": "whole"/);
  const words = ["--config", "x.json"];
  for (const [call, said] of [
    [["segment"], /segment needs --config/],
    [["segment", "dance", ...words], /segment takes no dance/],
    [["segment", "evaluate"], /segment evaluate needs --config/],
    [["segment", ...words, "--shard", "1/2"], /segment takes --shard with evaluate alone/],
    [["segment", "evaluate", ...words, "--resume"], /goes on by itself, without --resume/],
  ] as const) {
    const { status, text } = await luvit(...call);
    assert.equal(status, 2, text);
    assert.match(text, said);
  }
  const file = config("wrong.json", { ...training(1), model: {}, recipe: "finetuneToy" });
  const { status, text } = await luvit("segment", "--config", file);
  assert.equal(status, 1);
  assert.match(text, /model\.encoder: .*, or `pretrained`/);
  assert.match(text, /recipe: expected "segmentSsl", "segmentSslSup" or "segmentToy"/);
});
