import { LuvitError } from "../core/errors";

/** @throws LuvitError("bad-argument") for a class that a model of `classes` classes does not have. */
export function expectLabel(what: string, label: number, classes: number): void {
  if (Number.isInteger(label) && label >= 0 && label < classes) return;
  throw new LuvitError("bad-argument", `${what} is ${label}, expected 0 to ${classes - 1}`);
}
