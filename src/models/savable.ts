import { packageVersion } from "../core/packageRoot";
import { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";
import type { ModelConfig } from "./config";
import { LlamaBlocks } from "./llamaBlock";
import { adapters } from "./lora";
import { type SavedFiles, type SaveOptions, writeModel } from "./writeModel";

/** What every config has beside what its model computes with. */
export type CommonConfig = Pick<ModelConfig, "luvitVersion" | "lora" | "frozen" | "blockSource" | "external">;

/** A model that can say what it is, and so be saved and opened again. */
export abstract class SavableModel extends Module {
  /** Everything that decides what the weights compute, and what is known of where they came from; plain JSON. */
  abstract describe(): ModelConfig;

  /**
   * Writes config.json and model.safetensors (float32) into a folder, from which `load` makes the same model in a process
   * that is told nothing else. Frozen weights are written too; `frozen: "named"` names file, block and sha256 of those that
   * a file holds instead. An earlier model in the folder is replaced, any other content refused.
   *
   * @throws LuvitError("bad-argument") for a folder that holds something else, LuvitError("bad-file") when the disk refuses.
   */
  save(folder: string, options: SaveOptions = {}): Promise<SavedFiles> {
    return writeModel(this, folder, options);
  }

  /** The entries that configs of all kinds have. */
  protected describeCommon(): CommonConfig {
    const block = [...this.namedModules()].map(([, module]) => module).find((m) => m instanceof LlamaBlocks);
    return {
      luvitVersion: packageVersion(),
      lora: Object.fromEntries(
        adapters(this).map(([path, { rank, alpha, rankStabilized, merged }]) => [
          path,
          { rank, alpha, rankStabilized, merged },
        ]),
      ),
      frozen: frozenBranches([...this.namedParameters()]),
      blockSource: (block as LlamaBlocks | undefined)?.source ?? null,
      external: {},
    };
  }
}

/** The shortest paths at and below which every parameter is frozen. */
function frozenBranches(parameters: readonly (readonly [string, Parameter])[]): string[] {
  const thawed = new Set(parameters.filter(([, p]) => p.trainable).flatMap(([path]) => branchesOf(path)));
  const frozen = parameters.filter(([, p]) => !p.trainable);
  return [...new Set(frozen.map(([path]) => branchesOf(path).find((branch) => !thawed.has(branch))!))];
}

/** "a.b.c" -> "a", "a.b", "a.b.c". */
function branchesOf(path: string): string[] {
  const names = path.split(".");
  return names.map((_, i) => names.slice(0, i + 1).join("."));
}
