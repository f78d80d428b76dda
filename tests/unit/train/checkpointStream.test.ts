import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import * as transforms from "../../../src/data/transforms";
import { engineProcesses, onnxRuntimeProblem } from "../../../src/engine";
import { fileSource, KeptFile } from "../../../src/io/bytes";
import { listTrainingCheckpoints, readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { openSafetensors, writeSafetensors } from "../../../src/io/safetensors";
import { baselines, mae } from "../../../src/models";
import { type LlamaConfig, llama7b } from "../../../src/models/llamaConfig";
import { Parameter } from "../../../src/nn/parameter";
import { finetune } from "../../../src/train/finetune";
import type { TrainOptions } from "../../../src/train/plan";
import { pretrain } from "../../../src/train/pretrain";
import { Stepper } from "../../../src/train/stepper";
import {
  assertSameBits,
  finetuning,
  images,
  losses,
  pretraining,
  stopAfter,
  temporaryFolder,
  tinyClassifier,
  tinyDecoder,
  tinyMae,
  tinyViT,
} from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

const withProcess = { skip: onnxRuntimeProblem() ?? false };
const blockConfig: LlamaConfig = { ...llama7b, dim: 16, heads: 2, hiddenDim: 24 };
const options: TrainOptions = { ...pretraining, engine: "onnxruntime" };

/** Counts the tensors whose numbers are asked of parameters and of files from now on. */
function countReads(t: TestContext) {
  const counts = { parameters: 0, files: 0 };
  const { peek } = Parameter.prototype;
  t.mock.method(Parameter.prototype, "peek", function (this: Parameter) {
    counts.parameters++;
    return peek.call(this);
  });
  const { readNow } = KeptFile.prototype;
  t.mock.method(KeptFile.prototype, "readNow", function (this: KeptFile, start: number, end: number) {
    if (start > 8) counts.files++; // not the header
    return readNow.call(this, start, end);
  });
  return counts;
}

test(
  "saving reads no trained weight, moment or average into this process, and none before it is asked for",
  withProcess,
  async (t) => {
    const set = await images(transforms.finetune);
    const out = join(temporaryFolder(), "run");
    const model = tinyClassifier();
    const run = finetune(model, set, { ...finetuning, emaDecay: 0.8, engine: "onnxruntime", out });
    const frozen = [...model.namedParameters()].filter(([, { trainable }]) => !trainable).length;
    let counts = { parameters: 0, files: 0 };
    run.onRecord(({ step }) => {
      if (step === 1) counts = countReads(t); // all is in the engine by then
    });
    const { checkpoint, averaged } = await run.done;
    const saves = (await listTrainingCheckpoints(out)).length;
    // What is frozen and came from no file is written from here, with the weights and with their average.
    assert.deepEqual(counts, { parameters: 2 * saves * frozen, files: frozen * 2 });
    const saved = await readTrainingCheckpoint(checkpoint!);
    assertSameBits(await model.stateDict(), saved.model);
    assert.ok(averaged!.size > 0);
    for (const [path, tensor] of averaged!)
      assertSameBits(new Map([[path, tensor]]), new Map([[path, saved.average!.get(path)!]]));
  },
);

test("the weights of a run stay readable when its folder is deleted, and are read once", async (t) => {
  const out = join(temporaryFolder(), "run");
  const { model, checkpoint } = await pretrain(tinyMae(), await images(), { ...options, out }).done;
  const saved = await readTrainingCheckpoint(checkpoint!);
  for (const { data } of saved.model.values()) assert.ok(data.length > 0);
  rmSync(out, { recursive: true });
  const counts = countReads(t);
  const [[path, parameter]] = [...model.namedParameters()];
  assert.deepEqual(parameter.value.dataSync(), saved.model.get(path)!.data);
  assert.deepEqual(parameter.value.dataSync(), saved.model.get(path)!.data);
  assert.equal(counts.files, 1);
  assertSameBits(await model.stateDict(), saved.model);
});

test("weights in use are those of the last checkpoint", async () => {
  const out = join(temporaryFolder(), "run");
  const model = tinyMae();
  const inUse = model.encoder.cls_token!.value;
  const { checkpoint } = await pretrain(model, await images(), { ...options, out }).done;
  const saved = (await readTrainingCheckpoint(checkpoint!)).model.get("cls_token")!;
  assert.deepEqual(inUse.dataSync(), saved.data);
  assert.equal(model.encoder.cls_token!.value, inUse);
});

test(
  "an engine that dies while a checkpoint is written leaves the one before, from which the run goes on",
  withProcess,
  async (t) => {
    const set = await images();
    const folder = temporaryFolder();
    const undisturbed = await pretrain(tinyMae(), set, { ...options, out: join(folder, "undisturbed") }).done;
    const out = join(folder, "run");
    const { stream } = Stepper.prototype;
    let writes = 0;
    const there: boolean[] = [];
    t.mock.method(
      Stepper.prototype,
      "stream",
      function (this: Stepper<never>, ...asked: Parameters<typeof stream>) {
        const tensors = stream.apply(this, asked);
        return {
          ...tensors,
          async writeInto(...where: Parameters<NonNullable<typeof tensors.writeInto>>) {
            // The fourth file is the moments of the second checkpoint.
            if (++writes === 4) {
              for (const { pid } of engineProcesses()) process.kill(pid, "SIGKILL");
              there.push(
                existsSync(join(out, "checkpoint-000003")),
                existsSync(join(out, "checkpoint-000006")),
              );
            }
            return tensors.writeInto!(...where);
          },
        };
      },
    );
    const run = pretrain(tinyMae(), set, { ...options, out });
    const { history, checkpoint } = await run.done;
    assert.deepEqual(there, [true, false]);
    assert.match(
      run.notes.join("\n"),
      /after step 6: .* It was to save state\..*; started again from step 3/s,
    );
    assert.deepEqual(losses(history), losses(undisturbed.history));
    assertSameBits(
      (await readTrainingCheckpoint(checkpoint!)).optimizer,
      (await readTrainingCheckpoint(undisturbed.checkpoint!)).optimizer,
    );
    assertSameBits(await run.model.stateDict(), await undisturbed.model.stateDict());
  },
);

test("resuming reads weights and moments from the disk straight into the engine", withProcess, async (t) => {
  const set = await images();
  const out = join(temporaryFolder(), "run");
  await stopAfter(pretrain(tinyMae(), set, { ...options, out }), 2);
  const { model, optimizer } = await readTrainingCheckpoint((await listTrainingCheckpoints(out))[0].folder);
  const run = pretrain(tinyMae(), set, { ...options, out, resume: true });
  const counts = countReads(t);
  const { prepare } = Stepper.prototype;
  const atPrepare: number[] = [];
  t.mock.method(
    Stepper.prototype,
    "prepare",
    async function (this: Stepper<never>, ...asked: Parameters<typeof prepare>) {
      atPrepare.push(counts.files);
      await prepare.apply(this, asked);
      atPrepare.push(counts.files);
    },
  );
  await run.done;
  assert.deepEqual(atPrepare.slice(0, 2), [0, 0], "the engine has read them itself");
  assert.ok(model.size + optimizer.size > 0);
});

test("frozen weights that a file holds are not kept here while an engine has them", async (t) => {
  const file = join(temporaryFolder(), "block.safetensors");
  await writeSafetensors(file, await baselines.randomBlock(blockConfig).stateDict());
  const fusion = baselines.randomBlock(blockConfig);
  const source = await fileSource(file);
  fusion.loadStateDict(await (await openSafetensors(source)).readTensors(), { source: file });
  await source.close();
  fusion.freeze();
  const weights = await fusion.stateDict();
  const model = mae.create({ encoder: tinyViT, fusion, decoder: tinyDecoder });
  const counts = countReads(t);
  await fusion.stateDict();
  assert.equal(counts.files, 0);
  await pretrain(model, await images(), { ...options, engine: "eager", out: false }).done;
  assertSameBits(await fusion.stateDict(), weights);
  assert.equal(counts.files, weights.size);
});
