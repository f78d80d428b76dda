import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { tableFromIPC } from "apache-arrow";
import { startBackend } from "../../../src/core/tf";
import { imageFolder, imageNetS, transforms } from "../../../src/data";
import { classifier, segmenter, vit } from "../../../src/models";
import { detect } from "../../../src/train/detection/detect";
import { finetune } from "../../../src/train/finetune";
import { openRun, SavedRun } from "../../../src/train/openRun";
import { loadRunWeights } from "../../../src/train/runWeights";
import { segment } from "../../../src/train/segment";
import { Calls } from "../../support/calls";
import { repository } from "../nn/support";
import { batchOf, described, fedOf, taskOf, told } from "./describedTasks";
import { scenes, smallDetector } from "./detection/support";
import { ended, go, plain, Tiny } from "./drawnRuns";
import { images, temporaryFolder, tinyClassifier, tinyMae, tinyViT, writeImages } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

/** Checkpoints of a folder whose files this process has open, where the system tells. */
function openCheckpoints(folder: string): string[] {
  if (process.platform !== "linux") return [];
  const links = readdirSync("/proc/self/fd").map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return "";
    }
  });
  const names = links
    .filter((link) => link.startsWith(folder))
    .map((link) => /checkpoint-\d+/.exec(link)?.[0] ?? basename(link));
  return [...new Set(names)].sort();
}

test("what runs leave on disk, and models that begin with it", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const out = join(folder, "tiny");
  const recipe = { name: "mine" } as never;
  const run = go({ ...plain, epochs: 4, out, recipe, keepCheckpoints: 4 }, { emaDecay: 0.5 });
  await ended(calls, "a run", run);
  const old = openCheckpoints(out).filter((name) => name !== "checkpoint-000020");
  calls.note("open files of checkpoints before the last", old);
  for (const name of readdirSync(out).filter((one) => one.startsWith("checkpoint")))
    calls.note(name, readdirSync(join(out, name)).sort());
  const { commit, ...state } = JSON.parse(readFileSync(join(out, "checkpoint-000010", "state.json"), "utf8"));
  calls.note("state", state);
  const table = tableFromIPC(readFileSync(join(out, "metrics.arrow")));
  calls.note(
    "table",
    table.schema.fields.map(({ name }) => [
      name,
      name === "commit" || name === "imagesPerSecond"
        ? "its"
        : Array.from(table.getChild(name)!.toArray() as ArrayLike<never>).slice(0, 3),
    ]),
  );
  const saved = await openRun(out);
  calls.note("recipe", [saved.recipe, (await loadRunWeights(new Tiny(), out)).recipe]);

  const broken = join(folder, "broken");
  await ended(calls, "a run to be damaged", go({ ...plain, out: broken }));
  writeFileSync(join(broken, "checkpoint-000010", "state.json"), "[]");
  const opened = await openRun(broken);
  calls.note("opened", [opened.step, opened.done, opened.notes, String(opened)]);
  await ended(calls, "  resumed", go({ ...plain, out: broken, resume: true }, { model: new Tiny(8) }));
  writeFileSync(join(broken, "checkpoint-000005", "state.json"), "[]");
  writeFileSync(join(broken, "checkpoint-000010", "state.json"), "{}");
  await calls.does("opened with nothing that can be read", () => openRun(broken));
  const empty = join(folder, "empty");
  mkdirSync(empty);
  await calls.does("opened where nothing is", () => openRun(empty));
  writeFileSync(join(empty, "metrics.jsonl"), '{"step":1,"loss":2}\n');
  await calls.does("opened where nothing was saved", () => openRun(empty));
  await calls.does("opened nowhere", () => openRun(join(folder, "nowhere")));
  for (const task of ["pretrain", "finetune", "distill", "detect", "segment", "other"])
    await calls.does(`model of ${task}`, () =>
      new SavedRun({ ...saved, task, folder: empty } as never).model(),
    );
  await calls.does("SavedRun of parts", () => new SavedRun({ folder: "f" } as never));
  for (const [step, totalSteps, recipeName, history] of [
    [3, 3, undefined, []],
    [2, 3, "mine", [{ loss: 0.12345 }]],
    [2, 3, undefined, [{ loss: null }]],
  ] as const)
    calls.note(
      "printed",
      String(
        new SavedRun({ ...saved, step, totalSteps, recipe: recipeName, history, notes: ["a note"] } as never),
      ),
    );

  const set = await images(transforms.evaluation);
  const place = join(folder, "classifier");
  const trained = finetune(tinyClassifier(3), set, {
    epochs: 1,
    batchSize: 6,
    lr: 1e-3,
    dropPath: 0,
    engine: "eager",
    out: place,
  });
  await trained.done;
  const load = async (what: string, model: Parameters<typeof loadRunWeights>[0], from = place) => {
    const found = await loadRunWeights(model, from).then(
      ({ folder: checkpoint, ...rest }) => ({ ...rest, checkpoint: basename(checkpoint) }),
      (error: unknown) => error,
    );
    calls.note(`loaded into ${what}`, found);
  };
  const fresh = tinyClassifier(9);
  fresh.preprocessing = transforms.none(16).preprocessing!;
  await load("another classifier", fresh);
  calls.note("  learnt", [fresh.classNames, fresh.preprocessing]);
  const named = Object.assign(tinyClassifier(9), { classNames: ["a", "b"] });
  await load("one with names", named);
  calls.note("  learnt", named.classNames);
  await load("one of three classes", classifier.create({ encoder: tinyViT, classes: 3 }));
  await load("a deeper one", classifier.create({ encoder: { ...tinyViT, depth: 3 }, classes: 2 }));
  await load("one with other heads", classifier.create({ encoder: { ...tinyViT, heads: 4 }, classes: 2 }));
  await load("an auto-encoder", tinyMae());
  const config = join(trained.checkpoint!, "config.json");
  calls.note("has a config", existsSync(config));
  const model = await (await openRun(place)).model();
  calls.note("opened", [model.constructor.name, (model as typeof fresh).classNames]);
  calls.approve("train/saved");
});

test("what is done before the first step and behind an epoch", async () => {
  const root = await writeImages(temporaryFolder());
  for (const name of ["0", "1", "2", "3"]) writeFileSync(join(root, "red", `${name}.png`), "no image");
  const calls = new Calls({ root });
  const transform = transforms.evaluation(16);
  const [whole, damaged] = [await images(transforms.evaluation), await imageFolder(root, { transform })];
  const alone = { rank: 0, size: 1, gather: async <T>(own: T) => [own] };
  for (const [what, validation, more] of [
    ["good ones", whole, {}],
    ["damaged ones", damaged, {}],
    ["damaged ones that may be", damaged, { maxUnreadable: 0.5 }],
    ["none", undefined, {}],
  ] as const) {
    const task = taskOf(() =>
      finetune(tinyClassifier(), whole, { ...told, validation, ...more, emaDecay: 0.5 }),
    );
    await calls.once(`prepared with ${what}`, () => task.prepare?.({ stopped: false }));
  }
  for (const emaDecay of [undefined, 0.5]) {
    const log: unknown[] = [];
    const task = taskOf(() =>
      finetune(tinyClassifier(), whole, { ...told, batchSize: 5, validation: whole, emaDecay }),
    );
    const call = async (
      name: string,
      { images: fed }: Record<string, { shape: readonly number[] }>,
      options: object,
    ) => {
      log.push([name, fed.shape.join(" x "), options]);
      const best = "averaged" in options && options.averaged ? 1 : 0;
      return { scores: Float32Array.from({ length: 10 }, (_, i) => (i % 2 === best ? -0.1 : -3)) };
    };
    await calls.once(`evaluated with ${emaDecay}`, () => task.evaluate!({ call } as never, alone));
    calls.note("  asked", log);
  }
  const shapes = join(repository, "data", "shapes");
  const masks = (
    await imageNetS({ root: shapes, split: "train-semi", patch: 8, transform: transforms.none(64) })
  ).take(5);
  const encoder = { ...vit.toy, dim: 16, depth: 2, heads: 2 };
  const segmenting = taskOf(() =>
    segment(segmenter.create({ encoder, classes: 7 }), masks, { ...told, validation: masks }),
  );
  const logits = async (name: string) => ({
    logits: Float32Array.from({ length: 2 * 7 * 64 }, (_, i) => (name.length + i * 31) % 17),
  });
  await calls.once("segments prepared", () => segmenting.prepare!({ stopped: false }));
  await calls.once("segments evaluated", () => segmenting.evaluate!({ call: logits } as never, alone));

  const [training, held] = [await scenes("train", 6), await scenes("val", 2)];
  for (const more of [
    {},
    { validation: held, dropPath: 0, warmupSteps: 3, milestones: [0.5], accumulate: 2 },
  ]) {
    const model = smallDetector({ seed: 3 });
    const task = taskOf(() => detect(model, training, { ...told, ...more }));
    const { functions, ...rest } = described(task);
    calls.note(`detect ${Object.keys(more)}`, [rest, functions.map(([name]) => name), model.classNames]);
    await calls.once("  prepared", () => task.prepare?.({ stopped: false }));
  }
  const detecting = taskOf(() => detect(smallDetector({ seed: 3 }), training, { ...told, dropPath: 0.5 }));
  const objects = {
    boxes: Float32Array.of(4, 4, 20, 24),
    labels: Int32Array.of(2),
    polygons: [[Float64Array.of(4, 4, 20, 4, 20, 24)]],
  };
  const batch = batchOf(48, {
    samples: [objects, objects].map((one) => ({ ...one, geometry: { covered: { width: 48, height: 48 } } })),
  });
  const [first, second] = [3, 4].map((micro) => detecting.feeds(batch as never, micro));
  calls.note(
    "detection fed otherwise the next time",
    Object.keys(first)
      .filter((name) => first[name].data.some((value, i) => value !== second[name].data[i]))
      .filter((name) => !name.startsWith("rois") && !name.startsWith("masks")),
  );
  calls.note(
    "detection fed",
    Object.entries(fedOf(first)).filter(
      ([name]) => name.startsWith("regions") || name === "rois.classes" || name === "dropPath",
    ),
  );
  calls.approve("train/before and behind");
});
