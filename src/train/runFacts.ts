import { createHash } from "node:crypto";
import { formatShape } from "../core/hostTensor";
import { inGroups } from "../core/inGroups";
import { packageVersion } from "../core/packageRoot";
import { streamOfParameters } from "../nn/modelState";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import { filesOf, type RunSets } from "./dataFiles";
import type { TrainOptions } from "./plan";
import { parametersOf } from "./stepPrograms";
import type { TrainingTask } from "./steps";

/**
 * What decides a run, by name: what its workers must have in common. Numbers of weights are not among it, as far as they
 * are in the engine, which compares them itself.
 */
export async function factsOf<M extends Module>(
  task: TrainingTask<M>,
  sets: RunSets,
  { checkpointEvery = 1, sums = "float32" }: TrainOptions,
  engine: string,
): Promise<Record<string, unknown>> {
  const facts: Record<string, unknown> = { luvit: packageVersion(), task: task.name, engine };
  Object.assign(facts, task.plan, task.settings, { checkpointEvery, sums });
  for (const [name, set] of Object.entries(sets)) {
    facts[`${name} data, pixels`] = set.size;
    for (const [label, files] of Object.entries(await filesOf(set)))
      facts[`${name} data, class ${label}`] = files;
  }
  const inEngine = new Map(parametersOf(task));
  for (const [path, { shape }] of inEngine)
    facts[path] = `${formatShape(shape)}${task.rules.has(path) ? "" : ", frozen"}`;
  const others = new Map([...(task.frozen ?? [])].filter(([path]) => !inEngine.has(path)));
  return { ...facts, ...(await digestsOf(others)) };
}

async function digestsOf(parameters: ReadonlyMap<string, Parameter>): Promise<Record<string, string>> {
  const { shapes, read } = streamOfParameters(parameters);
  const digests: Record<string, string> = {};
  for (const names of inGroups([...shapes.keys()], (name) => 4 * (parameters.get(name)?.size ?? 0)))
    for (const [name, { buffer, byteOffset, byteLength }] of Object.entries(await read(names)))
      digests[name] = createHash("sha256")
        .update(new Uint8Array(buffer, byteOffset, byteLength))
        .digest("hex")
        .slice(0, 16);
  return digests;
}
