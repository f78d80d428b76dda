import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import sharp from "sharp";
import { rowsOf } from "../../../src/analysis/provenance";
import { startBackend } from "../../../src/core/tf";
import { imageFolder, transforms } from "../../../src/data";
import { readTable } from "../../../src/io/tables/table";
import { classifier } from "../../../src/models";
import { evaluate } from "../../../src/train/evaluate";
import { repository } from "../io/support";
import { assertSameCheckpoint, readLines, temporaryFolder, writeImages } from "../train/support";

const folder = temporaryFolder();
const cli = join(repository, "build", "src", "cli.js");
const encoder = { imageSize: 16, patchSize: 8, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };
const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const fusion = { block: join(repository, "data", "llama-toy"), lora: { rank: 2 } };
const engine = { engine: "eager" };
const options = { batchSize: 4, accumulate: 1, lr: 1e-2, warmupEpochs: 1 };

before(async () => {
  await startBackend();
  await writeImages(join(folder, "images"));
  await cp(join(folder, "images"), join(folder, "masks"), { recursive: true });
  const half = Buffer.from(
    Array.from({ length: 24 * 24 * 3 }, (_, i) => (i % 3 === 0 && i % 72 < 36 ? 1 : 0)),
  );
  const mask = await sharp(half, { raw: { width: 24, height: 24, channels: 3 } })
    .png()
    .toBuffer();
  for (const file of readdirSync(join(folder, "masks"), { recursive: true }).map(String)) {
    if (file.endsWith(".png")) writeFileSync(join(folder, "masks", file), mask);
  }
  await mkdir(join(folder, "runs"), { recursive: true });
});

function config(name: string, value: object): string {
  writeFileSync(join(folder, name), JSON.stringify(value));
  return join(folder, name);
}

/** The command line as a process of its own; an interrupt is sent whenever the next condition on its output holds. */
async function luvit(words: readonly string[], interrupts: readonly ((output: string) => boolean)[] = []) {
  const child = spawn(process.execPath, [cli, ...words]);
  let output = "";
  const left = [...interrupts];
  const hear = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const timer = setInterval(() => {
    if (!left[0]?.(output)) return;
    left.shift();
    child.kill("SIGINT");
  }, 3);
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  clearInterval(timer);
  return { status, output };
}

const pretraining = (out: string, epochs: number) => ({
  model: { encoder, decoder, fusion },
  data: { train: { path: "images" } },
  recipe: "pretrainToy",
  options: { ...options, epochs },
  engine,
  out,
});

test("pretraining that is interrupted saves, says how to go on, and then ends as if it never was", async () => {
  const file = config("pretrain.json", pretraining("runs/pretrain", 8));
  const log = join(folder, "runs", "pretrain", "metrics.jsonl");
  const first = await luvit(["pretrain", "--config", file], [() => existsSync(log)]);
  assert.equal(first.status, 130, first.output);
  assert.match(first.output, /stopping after this step, then saving; once more ends at once/);
  assert.match(
    first.output,
    /stopped: \d+ of 24 steps .*\ngo on with: luvit pretrain --config .*pretrain\.json --resume/,
  );
  const refused = await luvit(["pretrain", "--config", file]);
  assert.deepEqual([refused.status, /holds something already: --resume/.test(refused.output)], [1, true]);
  const second = await luvit(["pretrain", "--config", file, "--resume"]);
  assert.equal(second.status, 0, second.output);
  assert.match(second.output, /recipe pretrainToy .*\n[\s\S]*done: 24 of 24 steps/);
  const whole = await luvit(["pretrain", "--config", file, "--out", join(folder, "runs/whole")]);
  assert.equal(whole.status, 0, whole.output);
  const [run, other] = ["pretrain", "whole"].map((name) => join(folder, "runs", name));
  await assertSameCheckpoint(join(run, "checkpoint-000024"), join(other, "checkpoint-000024"));
  const rows = rowsOf(await readTable(join(run, "metrics.arrow")));
  assert.deepEqual(
    rows.map(({ step, loss }) => [step, loss]),
    readLines(run).map(({ step, loss }) => [step, loss]),
  );
  assert.deepEqual([rows[0].recipe, rows[0].seed], ["pretrainToy", 0]);
});

test("a second interrupt ends at once", async () => {
  const file = config("endless.json", {
    ...pretraining("runs/endless", 5000),
    data: { train: { path: "images" } },
  });
  const { status, output } = await luvit(
    ["pretrain", "--config", file],
    [(text) => text.includes("step 0 of"), (text) => text.includes("stopping after")],
  );
  assert.equal(status, 130, output);
  assert.doesNotMatch(output, /go on with/);
});

test("finetuning on the run, evaluating in shards that are merged, and entropy, each from its file", async () => {
  const tuned = config("finetune.json", {
    model: { encoder, decoder, fusion, classes: 2, pretrained: "runs/pretrain" },
    data: { train: { path: "images" }, validation: { path: "images", take: 6 } },
    recipe: "finetuneToy",
    options: { ...options, epochs: 2, seed: 1 }, // --seed has the last word
    engine,
    out: "runs/finetune",
  });
  const finetune = await luvit(["finetune", "--config", tuned, "--seed", "3"]);
  assert.equal(finetune.status, 0, finetune.output);
  // Images are held out as they are evaluated: resized and cropped alike, nothing at random.
  const transform = transforms.evaluation(encoder.imageSize);
  const held = (await imageFolder(join(folder, "images"), { transform })).take(6);
  const opened = await classifier.open(join(folder, "runs", "finetune"));
  assert.equal(readLines(join(folder, "runs", "finetune")).at(-1)!.top1, (await evaluate(opened, held)).top1);
  const model = { encoder, fusion, classes: 2, weights: "runs/finetune", name: "tiny" };
  const evaluation = config("evaluate.json", {
    model,
    data: { own: { mine: "images" } },
    engine,
    out: "runs/suite",
  });
  const shards = [1, 2].map((index) => join(folder, "runs", `shard${index}`));
  const data = { shapes: { images: "images", masks: "masks" } };
  const looking = config("entropy.json", { model, data, engine, out: "runs/entropy" });
  const [entropy, ...parts] = await Promise.all([
    luvit(["entropy", "--config", looking]),
    ...shards.map((out, i) =>
      luvit(["evaluate", "--config", evaluation, "--shard", `${i + 1}/2`, "--out", out]),
    ),
  ]);
  assert.deepEqual(
    parts.map(({ status }) => status),
    [0, 0],
    parts[0].output,
  );
  const out = join(folder, "runs", "merged");
  const merged = await luvit(["evaluate", "--merge", ...shards, "--out", out]);
  assert.equal(merged.status, 0, merged.output);
  assert.match(merged.output, /mine +top-1 +[\d.]+ +12/);
  assert.deepEqual(
    rowsOf(await readTable(join(out, "results.arrow"))).map(({ model: name, recipe, seed }) => [
      name,
      recipe,
      seed,
    ])[0],
    ["tiny", "finetuneToy", 3],
  );
  assert.equal(entropy.status, 0, entropy.output);
  assert.match(entropy.output, /background above foreground[\s\S]*magnitude +12/);
  const files = readdirSync(join(folder, "runs", "entropy", "shapes")).sort();
  const kept = ["entropy", "pseudo-masks"];
  assert.deepEqual(files, [...kept, "entropy.arrow", "entropy.jsonl", "pseudo-masks.arrow"].sort());
});

test("a finetuned run teaches a plain model, whose run stops where it is told and goes on", async () => {
  const taught = config("distill.json", {
    model: { encoder, classes: 2 },
    teacher: { weights: "runs/finetune" },
    data: { train: { path: "images" }, validation: { path: "images" } },
    recipe: "distillToy",
    options: { ...options, epochs: 2, features: [{ teacher: "fusion.mapper2", student: "blocks.1" }] },
    engine,
    out: "runs/taught",
  });
  const first = await luvit(["distill", "--config", taught]);
  assert.equal(first.status, 0, first.output);
  assert.match(first.output, /teacher: Classifier.*recipe finetuneToy/);
  assert.match(first.output, /recipe distillToy \(made for the bundled shapes\)/);
  const history = readLines(join(folder, "runs", "taught"));
  const again = await luvit(["distill", "--config", taught, "--resume"]);
  assert.equal(again.status, 0, again.output);
  assert.deepEqual(readLines(join(folder, "runs", "taught")), history);
  const transform = transforms.evaluation(encoder.imageSize);
  const held = await imageFolder(join(folder, "images"), { transform });
  const { top1 } = await evaluate(await classifier.open(join(folder, "runs", "taught")), held);
  assert.equal(history.at(-1)!.top1, top1);
  const wrong = config("distill-wrong.json", {
    model: { encoder, classes: 2 },
    teacher: { weights: "runs/finetune" },
    data: { train: { path: "images" } },
    recipe: "distillToy",
    options: { ...options, epochs: 1 },
    engine,
    out: "runs/wrong",
  });
  const refused = await luvit(["distill", "--config", wrong]);
  assert.equal(refused.status, 1);
  assert.match(refused.output, /features\[0\]\.student: no layer blocks\.3/);
});

test("a run says itself what its model is: its folder is enough to finetune, evaluate and look into it", async () => {
  const tuned = config("from-run.json", {
    model: { pretrained: "runs/pretrain" },
    data: { train: { path: "images" } },
    recipe: "finetuneToy",
    options: { ...options, epochs: 1 },
    engine,
    out: "runs/from-run",
  });
  const finetune = await luvit(["finetune", "--config", tuned]);
  assert.equal(finetune.status, 0, finetune.output);
  const model = { weights: "runs/finetune", name: "tiny" };
  const data = { own: { mine: "images" } };
  const alone = config("alone.json", { model, data, engine, out: "runs/alone" });
  const contradicting = config("contradicting.json", {
    model: { ...model, encoder: { ...encoder, heads: 4 }, fusion, classes: 2 },
    data,
    engine,
    out: "runs/contradicting",
  });
  const unclear = config("unclear.json", {
    model: { ...model, fusion, classes: 3 },
    data,
    engine,
    out: "runs/unclear",
  });
  const [evaluated, refused, beside] = await Promise.all(
    [alone, contradicting, unclear].map((file) => luvit(["evaluate", "--config", file])),
  );
  assert.equal(evaluated.status, 0, evaluated.output);
  const rows = async (name: string) => rowsOf(await readTable(join(folder, "runs", name, "results.arrow")));
  const numbers = async (name: string) => (await rows(name)).map(({ commit, ...row }) => row);
  assert.deepEqual(await numbers("alone"), await numbers("merged"));
  assert.deepEqual([refused.status, beside.status], [1, 1]);
  assert.match(refused.output, /encoder\.heads: was 2, now 4/);
  assert.match(beside.output, /leave model\.fusion, model\.classes out, or name model\.encoder too/);
});

test("entropy and evaluation that are interrupted within a set go on there, and end as if they never were", async () => {
  const model = { encoder, fusion, classes: 2, weights: "runs/finetune", name: "tiny" };
  const slow = { batchSize: 1, engine };
  await writeImages(join(folder, "many"), 75);
  await mkdir(join(folder, "many-masks"));
  for (const name of ["green", "red"]) {
    await mkdir(join(folder, "many-masks", name));
    const [mask] = readdirSync(join(folder, "masks", name));
    for (const file of readdirSync(join(folder, "many", name)))
      await cp(join(folder, "masks", name, mask), join(folder, "many-masks", name, file));
  }
  const looking = config("long-entropy.json", {
    model,
    data: { many: { images: "many", masks: "many-masks" } },
    out: "runs/long-entropy",
    ...slow,
  });
  const evaluating = config("long-evaluate.json", {
    model,
    data: { own: { many: "many" } },
    out: "runs/long-suite",
    ...slow,
  });
  const facts = join(folder, "runs", "long-entropy", "many", "entropy", "facts.json");
  const hasRead = (text: string) => text.includes("of 150 images");
  await Promise.all([
    assertGoesOn("entropy", looking, "long-entropy", "many/entropy", () => existsSync(facts)),
    assertGoesOn("evaluate", evaluating, "long-suite", "results", hasRead),
  ]);
});

async function assertGoesOn(
  command: string,
  file: string,
  out: string,
  results: string,
  hasBegun: (output: string) => boolean,
): Promise<void> {
  const at = join(folder, "runs", out);
  const first = await luvit([command, "--config", file], [hasBegun]);
  assert.equal(first.status, 130, first.output);
  assert.match(first.output, new RegExp(`is kept\\. Go on with: luvit ${command} --config`));
  assert.match(first.output, /not (?:looked at|evaluated):[\s\S]*images \d+ to 149/);
  assert.ok(!existsSync(join(at, `${results}.jsonl`)));
  const second = await luvit([command, "--config", file]);
  const whole = await luvit([command, "--config", file, "--out", `${at}-whole`]);
  assert.deepEqual([second.status, whole.status], [0, 0], second.output);
  const rows = async (place: string) => rowsOf(await readTable(join(place, `${results}.arrow`)));
  assert.deepEqual(await rows(at), await rows(`${at}-whole`));
}

test("unreadable images are named at the end, missing ones before a model is loaded", async () => {
  await cp(join(folder, "images"), join(folder, "damaged"), { recursive: true });
  const [file] = readdirSync(join(folder, "damaged", "red"));
  writeFileSync(join(folder, "damaged", "red", file), "no image");
  const damaged = config("damaged.json", {
    ...pretraining("runs/damaged", 1),
    model: { encoder, decoder },
    data: { train: { path: "damaged" } },
  });
  const missing = config("missing.json", {
    ...pretraining("runs/missing", 1),
    model: { encoder, decoder, fusion: { block: "no-such-model" } },
    data: { train: { path: "nowhere" } },
  });
  const [one, other] = await Promise.all(
    [damaged, missing].map((file) => luvit(["pretrain", "--config", file])),
  );
  assert.match(one.output, new RegExp(`1 unreadable image [^]*damaged/red/${file}: cannot be decoded`));
  assert.match(other.output, /a folder of images at .*nowhere, which does not exist/);
  assert.deepEqual([one.status, other.status], [0, 1]);
});

test("corrupting that is interrupted says that it goes on, and does", async () => {
  const target = join(folder, "corrupted");
  const words = ["corrupt", join(folder, "images"), target, "--types", "fog,snow", "--workers", "1"];
  const first = await luvit(words, [() => existsSync(join(target, "snow", "5"))]);
  assert.equal(first.status, 130, first.output);
  assert.match(first.output, /stopped; what was written is kept, and the same command goes on/);
  const second = await luvit(words);
  assert.equal(second.status, 0, second.output);
  const [, written, kept] = (/: (\d+) files written, (\d+) kept/.exec(second.output) ?? []).map(Number);
  assert.ok(kept >= 10 && written + kept === 12 * 2 * 5, second.output);
});

test("wrong usage ends with 2, a wrong file with 1", async () => {
  const bad = config("bad.json", { model: {}, out: 3 });
  const [usage, file] = await Promise.all([
    luvit(["pretrain", "--sede", "1"]),
    luvit(["finetune", "--config", bad]),
  ]);
  assert.deepEqual([usage.status, file.status], [2, 1]);
  assert.match(usage.output, /--sede/);
  assert.match(file.output, /model\.encoder: missing[\s\S]*recipe: missing[\s\S]*out: expected a text/);
});
