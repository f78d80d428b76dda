import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { sizeOf } from "../core/hostTensor";
import { CONFIG_FILE, MODEL_FILE, readConfig, writeSavedModel } from "../io/checkpoint";
import { streamOfParameters } from "../nn/modelState";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import { type ModelConfig, parseModelConfig } from "./config";
import { frozenFromFiles, noteFrozenWeights } from "./frozenWeights";

export interface SaveOptions {
  /** "written" (default): the folder is all that is needed. "named": frozen weights that a file holds are only named. */
  frozen?: "written" | "named";
}

/** What `save` wrote. Prints as one line. */
export class SavedFiles {
  constructor(
    readonly folder: string,
    readonly config: ModelConfig,
    readonly tensors: number,
    readonly bytes: number,
  ) {}

  toString(): string {
    const named = Object.values(this.config.external);
    const files = [...new Set(named.map(({ source }) => source))].join(", ");
    const rest = named.length > 0 ? `; ${named.length} frozen tensors stay in ${files}` : "";
    const size = `${(this.bytes / 1e6).toFixed(2)} MB`;
    return `saved ${this.tensors} tensors (${size}) and ${CONFIG_FILE} in ${this.folder}${rest}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** See `SavableModel.save`. */
export async function writeModel(
  model: Module & { describe(): ModelConfig },
  folder: string,
  { frozen = "written" }: SaveOptions,
): Promise<SavedFiles> {
  if (frozen !== "written" && frozen !== "named") {
    throw new LuvitError("bad-argument", `save: frozen is ${inspect(frozen)}, expected "written" or "named"`);
  }
  await expectReplaceable(folder);
  const outside = frozen === "named" ? frozenFromFiles(model) : new Map();
  const config = { ...model.describe(), external: await noteFrozenWeights(outside) };
  parseModelConfig(`${folder}: not saved`, JSON.parse(JSON.stringify(config)));
  const tensors = streamOfParameters(weightsBut(model, outside));
  await writeSavedModel(folder, { config, tensors });
  const bytes = [...tensors.shapes.values()].reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);
  return new SavedFiles(folder, config, tensors.shapes.size, bytes);
}

/** A model's parameters by path, but for those that are kept elsewhere. */
export function weightsBut(model: Module, outside: ReadonlyMap<string, unknown>): Map<string, Parameter> {
  return new Map([...model.namedParameters()].filter(([path]) => !outside.has(path)));
}

/** A folder that is new, empty, or holds a model of this library; weights of others are not written over. */
async function expectReplaceable(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory()) {
    throw new LuvitError("bad-argument", `${folder}: is a file; save takes a folder`);
  }
  const taken = readdirSync(folder).filter((name) => name === CONFIG_FILE || name === MODEL_FILE);
  if (taken.length === 0) return;
  if (existsSync(join(folder, "state.json"))) {
    throw new LuvitError("bad-argument", `${folder}: is a checkpoint of a run; save into another folder`);
  }
  const known = await readConfig(folder).catch(() => undefined);
  if (String(known?.modelType).startsWith("luvit-")) return;
  throw new LuvitError(
    "bad-argument",
    `${folder}: holds ${taken.join(" and ")} that this library did not write; save into another folder`,
  );
}
