/*
 * A process that does nothing but save: node savingChild.js <run folder>. Goes on from the newest checkpoint there,
 * printing "from N", and prints "saving N" and "saved N" around every step. Each step's numbers follow from the step.
 * Every third step is saved twice, as after a restart.
 */
import assert from "node:assert/strict";
import { type StateDict, streamOf } from "../../../../src/core/hostTensor";
import { appendMetrics, truncateMetrics } from "../../../../src/io/runs/metricsLog";
import {
  latestTrainingCheckpoint,
  pruneTrainingCheckpoints,
  writeTrainingCheckpoint,
} from "../../../../src/io/runs/trainingCheckpoint";
import { assertSameTensors } from "../support";

/** Tensors that say of which step they are. */
function stateOf(step: number): StateDict {
  const tensor = (size: number) => ({ shape: [size], data: new Float32Array(size).fill(step) });
  return new Map([3, 70000, 20].map((size) => [`w${size}`, tensor(size)]));
}

function say(line: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${line}\n`, () => resolve()));
}

async function main([folder]: readonly string[]): Promise<void> {
  const metrics = `${folder}/metrics.jsonl`;
  const latest = await latestTrainingCheckpoint(folder);
  const from = latest?.step ?? 0;
  if (latest) {
    assert.deepEqual(latest.notes, [], "the newest checkpoint is whole");
    for (const part of [latest.model, latest.optimizer]) assertSameTensors(part, stateOf(from));
    assert.deepEqual(latest.state, { step: from });
  }
  await truncateMetrics(metrics, from);
  await say(`from ${from}`);
  for (let step = from + 1; ; step++) {
    await appendMetrics(metrics, { step });
    await say(`saving ${step}`);
    for (let time = 0; time < (step % 3 === 0 ? 2 : 1); time++) {
      const tensors = streamOf(stateOf(step));
      await writeTrainingCheckpoint(folder, step, { model: tensors, optimizer: tensors, state: { step } });
    }
    await pruneTrainingCheckpoints(folder, 1 + (step % 2));
    await say(`saved ${step}`);
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
