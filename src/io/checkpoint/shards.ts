import { basename } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import type { StateDict } from "../../core/hostTensor";
import type { TensorInfo, TensorSeen } from "../safetensors";
import type { OpenParts } from "./openParts";
import type { WeightPart } from "./part";

/** Tensors of one or more files, by name. */
export interface Tensors {
  readonly names: readonly string[];
  /** Shape and type of many tensors; opens exactly the files that hold them. */
  infos(names: readonly string[]): Promise<Map<string, TensorInfo>>;
  /** `seen` is called with each tensor as soon as it is there, while others are still being read. */
  readTensors(names: readonly string[], seen?: TensorSeen): Promise<StateDict>;
}

/** Tensors each of which lies in one file. */
export class Shards implements Tensors {
  constructor(
    private readonly parts: OpenParts,
    /** Tensor name -> path. */
    private readonly shardOf: ReadonlyMap<string, string>,
  ) {}

  get names(): string[] {
    return [...this.shardOf.keys()];
  }

  async infos(names: readonly string[]): Promise<Map<string, TensorInfo>> {
    const found = new Map<string, TensorInfo>();
    for (const [part, wanted] of await this.openHolders(names)) {
      for (const name of wanted) found.set(name, part.info(name));
    }
    return found;
  }

  async readTensors(names: readonly string[], seen?: TensorSeen): Promise<StateDict> {
    const found: StateDict = new Map();
    for (const [part, wanted] of await this.openHolders(names)) {
      for (const [name, tensor] of await part.readTensors(wanted, seen)) found.set(name, tensor);
    }
    return new Map(names.map((name) => [name, found.get(name)!]));
  }

  /** Opens the files that hold `names`; every missing name or file is reported in one error. */
  private async openHolders(names: readonly string[]): Promise<[WeightPart, string[]][]> {
    const { parts, shardOf } = this;
    const byPath = new Map<string, string[]>();
    const unknown: string[] = [];
    for (const name of names) {
      const path = shardOf.get(name);
      if (path === undefined) unknown.push(name);
      else if (byPath.get(path)?.push(name) === undefined) byPath.set(path, [name]);
    }
    if (unknown.length > 0) this.failUnknown(unknown);
    await parts.requireFiles(byPath.keys(), (path) => {
      const [first, ...others] = byPath.get(path)!;
      return `which holds ${first}${others.length > 0 ? ` and ${others.length} more` : ""}`;
    });
    const opened: [WeightPart, string[]][] = [];
    for (const [path, wanted] of byPath) {
      const part = await parts.open(path);
      const present = new Set(part.names);
      const absent = wanted.filter((name) => !present.has(name));
      if (absent.length > 0)
        this.failUnknown(absent.map((name) => `${name} (the index says ${basename(path)})`));
      opened.push([part, wanted]);
    }
    return opened;
  }

  private failUnknown(names: readonly string[]): never {
    const text = `${this.parts.source}: these tensors are not there\n${listOffenders(names)}`;
    throw new LuvitError("key-mismatch", text);
  }
}
