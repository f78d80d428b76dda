import { LuvitError, listOffenders } from "../core/errors";
import { formatShape, type StateDict } from "../core/hostTensor";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import { parametersOf } from "./stepPrograms";
import type { TrainingTask } from "./steps";

/** What a run works with beside its model, by path. */
export interface BesideModel {
  /** Trained with it and thrown away in the end; saved with every checkpoint. */
  readonly helpers: ReadonlyMap<string, Parameter>;
  /** Frozen, and decides the numbers too; named in every checkpoint. */
  readonly frozen: ReadonlyMap<string, Parameter>;
}

export function besideModel<M extends Module>(
  task: Pick<TrainingTask<M>, "model" | "whole" | "frozen" | "rules">,
): BesideModel {
  const own = new Set([...task.model.namedParameters()].map(([path]) => path));
  const others = [...parametersOf(task)].filter(([path]) => !own.has(path));
  const isTrained = ([path]: [string, Parameter]) => task.rules.has(path);
  return {
    helpers: new Map(others.filter(isTrained)),
    frozen: new Map([...others.filter((one) => !isTrained(one)), ...(task.frozen ?? [])]),
  };
}

/** @throws LuvitError("key-mismatch") naming every helper that is missing or misshapen; nothing has changed then. */
export function loadHelpers(helpers: BesideModel["helpers"], state: StateDict, where: string): void {
  const problems = [...helpers].flatMap(([path, { shape }]) => {
    const found = state.get(path)?.shape;
    if (!found) return [`missing: ${path}`];
    const [has, expected] = [formatShape(found), formatShape(shape)];
    return has === expected ? [] : [`${path}: is ${has}, expected ${expected}`];
  });
  if (problems.length > 0) {
    const what = "what is trained beside the model does not fit";
    throw new LuvitError("key-mismatch", `${where}: ${what}\n${listOffenders(problems)}`);
  }
  for (const [path, parameter] of helpers) parameter.load(state.get(path)!);
}
