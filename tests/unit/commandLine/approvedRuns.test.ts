import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { imagesFrom } from "../../../src/commandLine/images";
import { main } from "../../../src/commandLine/main";
import { classifierOrMae, shapeOf, trainedFrom, tunedFrom } from "../../../src/commandLine/models";
import { segmenterFrom, trainedSegmenterFrom } from "../../../src/commandLine/segmenters";
import { transforms } from "../../../src/data";
import * as luvit from "../../../src/index";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";
import { writeImages } from "../train/support";
import { encoder, trainByFile } from "./support";

const folder = temporaryFolder();

before(async () => void (await writeImages(join(folder, "images"))));

/** What was said, without times and numbers that machines round otherwise. */
const plain = (said: string) =>
  said
    .replaceAll(`${process.cwd()}/`, "")
    .replace(/(\.\.\/)+\S*luvit-test-\w+/g, "<folder>")
    .replace(/^engine: ([^·]*).*$/gm, "engine: $1")
    .replace(/in [\d.]+ m?s\b/g, "in …")
    .replace(/\d+\.\d+(?! M)/g, "…")
    .replace(/ {2,}/g, "  ")
    .replace(/─+/g, "─")
    .split("\n")
    .map((line) => line.slice(0, 200));

/** What is kept open until memory is collected is not told. */
function withoutOpenFiles({ lines }: Calls): void {
  lines.splice(0, lines.length, ...lines.map((line) => line.replace(/ \(leaves [^)]*\)$/, "")));
}

async function words(...given: string[]) {
  const said: string[] = [];
  const status = await main(given, {
    print: (line) => void said.push(line),
    complain: (line) => void said.push(`! ${line}`),
  });
  return [status, plain(said.join("\n"))];
}

const config = (name: string, value: object) => {
  writeFileSync(join(folder, name), JSON.stringify(value));
  return join(folder, name);
};

test("runs from files, and what looks at them, are approved", async () => {
  const calls = new Calls({ folder });
  const train = (name: string, asked: Parameters<typeof trainByFile>[1]) =>
    calls.once(name, async () => {
      const { status, out, said } = await trainByFile(folder, asked);
      return [status, plain(said), out, existsSync(out) ? readdirSync(out).sort() : "nothing"];
    });
  const pretraining = { command: "pretrain", recipe: "pretrainToy", options: {} } as const;
  const finetuning = { command: "finetune", recipe: "finetuneToy", options: {} } as const;
  await train("pretrain", pretraining);
  await train("pretrain, two epochs and a seed", {
    ...pretraining,
    options: { epochs: 2, seed: 5 },
    words: ["--seed", "9"],
  });
  await train("finetune from scratch", finetuning);
  await train("finetune on the run", {
    ...finetuning,
    model: { encoder: undefined, classes: undefined, pretrained: "run-1", seed: 3 },
  });
  await train("finetune on the run, described too", {
    ...finetuning,
    model: { pretrained: "run-1", decoder: { dim: 16, depth: 1, heads: 2, mlpRatio: 2 } },
  });
  await train("finetune with a validation", {
    ...finetuning,
    data: { validation: { path: "images", take: 4 } },
    options: { epochs: 2 },
  });
  await train("finetune on the run, half described", {
    ...finetuning,
    model: { encoder: undefined, classes: undefined, pretrained: "run-1", decoder: "decoderToy" },
  });
  await train("wrong options", { ...pretraining, options: { epochs: 0, batchSize: 1.5, steps: 3 } });
  await train("no images", { ...pretraining, data: { train: { path: "none" } } });
  await calls.once("over what is there", () => words("pretrain", "--config", join(folder, "run-1.json")));
  await calls.once("gone on with", () =>
    words("pretrain", "--config", join(folder, "run-1.json"), "--resume"),
  );
  calls.title("looked at");
  const engine = { engine: "eager" };
  const evaluation = (name: string, change: object) =>
    config(name, {
      model: { weights: "run-3", name: "mine" },
      data: { own: { here: "images" } },
      out: `${name}-out`,
      engine,
      ...change,
    });
  await calls.once("evaluate", () => words("evaluate", "--config", evaluation("e1", {})));
  calls.note(
    "results",
    readFileSync(join(folder, "e1-out", "results.jsonl"), "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => Object.keys(JSON.parse(line)).join(" ")),
  );
  await calls.once("evaluate in two shards", async () => [
    await words("evaluate", "--config", evaluation("e2", {}), "--shard", "1/2", "--out", join(folder, "s1")),
    await words(
      "evaluate",
      "--config",
      evaluation("e2", {}),
      "--shard",
      "2/2",
      "--out",
      join(folder, "s2"),
      "--seed",
      "4",
    ),
  ]);
  await calls.once("merge one", () => words("evaluate", "--merge", join(folder, "s1")));
  await calls.once("evaluate averaged weights that are none", () =>
    words("evaluate", "--config", evaluation("e3", { model: { weights: "run-3", averaged: true } })),
  );
  await calls.once("evaluate no set", () =>
    words("evaluate", "--config", evaluation("e4", { data: { own: { here: "none" } } })),
  );
  await calls.once("evaluate described without classes", () =>
    words("evaluate", "--config", evaluation("e5", { model: { weights: "run-3", encoder } })),
  );
  await calls.once("a distilled one", async () =>
    words(
      "distill",
      "--config",
      config("d1.json", {
        model: { encoder, classes: 2 },
        teacher: { weights: "run-3" },
        data: { train: { path: "images" } },
        recipe: "distillToy",
        options: { epochs: 1, batchSize: 4, accumulate: 1, warmupEpochs: 0 },
        engine,
        out: "d1",
      }),
    ),
  );
  withoutOpenFiles(calls);
  calls.approve("commandLine/runs");
});

test("models, images and what the library gives are approved", async () => {
  const calls = new Calls({ folder });
  const path = (relative: string) => join(folder, relative);
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  const model = (name: string, call: () => Promise<unknown>) =>
    calls.once(name, async () => [String(await call()), said.splice(0).map((line) => line.slice(0, 150))]);
  await model("a run of pretraining", () => classifierOrMae(path("run-1")));
  await model("a run of finetuning", () => classifierOrMae(path("run-3")));
  await calls.once("its shape", () => shapeOf({ weights: "run-3" } as never, path));
  await calls.once("its pretrained shape", () => shapeOf({ pretrained: "run-1" } as never, path));
  await model("tuned, on classes of the images", () => tunedFrom({ encoder } as never, path, 7, say));
  await model("tuned, on its own", () =>
    tunedFrom({ encoder, classes: 5, pooling: "cls" } as never, path, 7, say),
  );
  await model("tuned on a run", () => tunedFrom({ pretrained: "run-1" } as never, path, 7, say));
  await model("tuned on a run with a fusion", () =>
    tunedFrom({ pretrained: "run-1", fusion: { block: "b" } } as never, path, 7, say),
  );
  await model("trained, by itself", async () => {
    const { model, run } = await trainedFrom({ weights: "run-3" } as never, path, say);
    return `${model} ${run?.recipe} ${run?.seed}`;
  });
  await model("trained, described", async () => {
    const { model, run } = await trainedFrom({ weights: "run-3", encoder, classes: 2 } as never, path, say);
    return `${model} ${run?.recipe} ${run?.seed}`;
  });
  await model("trained, classes without an encoder", async () =>
    trainedFrom({ weights: "run-3", classes: 2 } as never, path, say),
  );
  await model("averaged of no run", async () =>
    trainedFrom({ weights: "none", averaged: true } as never, path, say),
  );
  await model("a segmenter", () => segmenterFrom({ encoder } as never, path, 4, say));
  await model("a segmenter on a run", () =>
    segmenterFrom({ pretrained: "run-1", frozen: true } as never, path, 4, say),
  );
  await model("a segmenter on a run, described too", () =>
    segmenterFrom({ pretrained: "run-1", encoder, seed: 3 } as never, path, 4, say),
  );
  await model("a trained segmenter that is none", async () =>
    trainedSegmenterFrom({ weights: "run-1" } as never, path, say),
  );
  calls.title("images");
  const transform = transforms.evaluation(16);
  const images = (name: string, config: object) =>
    calls.once(name, async () => {
      const set = await imagesFrom(config as never, transform, "train", path);
      return [set.length, set.classes, String(set).replaceAll(folder, "<folder>")];
    });
  await images("a folder", { path: "images" });
  await images("a folder in part", { path: "images", take: 3, kind: "folder" });
  await images("no folder", { path: "none" });
  await images("not ImageNet", { path: "images", kind: "imageNet1k" });
  await images("not Hugging Face's", { path: "images", kind: "huggingFace" });
  calls.title("the library");
  for (const [name, part] of Object.entries(luvit).sort(([a], [b]) => (a < b ? -1 : 1)))
    calls.note(
      name,
      typeof part === "object" && name !== "tf" ? Object.keys(part).sort().join(" ") : typeof part,
    );
  mkdirSync(path("cli"));
  const cli = join(__dirname, "..", "..", "..", "src", "cli.js");
  for (const given of [["--version"], ["nothing"], ["run"]])
    await calls.once(`luvit ${given}`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...given], {
        encoding: "utf8",
        cwd: path("cli"),
      });
      return [status, stdout.replace(/^\d+\.\d+\.\d+\n$/, "<version>"), stderr.slice(0, 120)];
    });
  withoutOpenFiles(calls);
  calls.approve("commandLine/models");
});
