import { resolve } from "node:path";
import { type FilePlace, sizeOf } from "../../core/hostTensor";
import { inGroups } from "../../core/inGroups";
import type { Places } from "../../core/writeNumbers";
import {
  type ArraysByName,
  describeEngine,
  type Engine,
  type EngineDescription,
  type OpenOptions,
  type Programs,
  type RunOptions,
  type Traffic,
} from "../executor";
import { adapterOf } from "../gpu/adapter";
import { InTurn } from "../inTurn";
import { changedState, commonState } from "../programs";
import type { Answer, EngineProcess } from "./engineProcess";
import { packPrograms, type Request } from "./messages";

/** Executors that nobody refers to any more give their memory back. */
const forgotten = new FinalizationRegistry<() => void>((release) => release());

/** The near end of an executor that lives in an engine process. */
class RemoteEngine implements Engine {
  private readonly turns: InTurn;
  traffic: Traffic = { process: 0, device: 0 };
  readonly description: EngineDescription;
  private readonly process: EngineProcess;
  private readonly id: number;
  /** Numbers in each state entry. */
  private readonly sizes: ReadonlyMap<string, number>;
  /** State entries that a program changes. */
  private readonly changing: readonly string[];

  constructor(parts: {
    description: EngineDescription;
    process: EngineProcess;
    id: number;
    sizes: ReadonlyMap<string, number>;
    changing: readonly string[];
  }) {
    const { description, process, id, sizes, changing } = parts;
    this.description = description;
    this.process = process;
    this.id = id;
    this.sizes = sizes;
    this.changing = changing;

    this.turns = new InTurn(describeEngine(description));
  }

  run(program: string, feeds: ArraysByName, options: RunOptions = {}) {
    return this.turns.do(async () => {
      const request = { act: "run", executor: this.id, program, options } as const;
      const { arrays } = await this.ask(`run "${program}"`, request, feeds);
      return arrays as Record<string, Float32Array>;
    });
  }

  readState(names: readonly string[] = this.changing) {
    return this.turns.do(async () => {
      const values: Record<string, Float32Array> = {};
      for (const group of inGroups(names, (name) => this.bytesOf(name))) {
        const request = { act: "read", executor: this.id, names: group } as const;
        Object.assign(values, (await this.ask("read state", request)).arrays);
      }
      return values;
    });
  }

  writeState(values: ArraysByName): Promise<void> {
    return this.turns.do(async () => {
      const names = Object.keys(values);
      // What does not fit goes over whole: the engine refuses it in its own words before it has changed anything.
      const fits = names.every((name) => this.sizes.get(name) === values[name].length);
      for (const group of fits ? inGroups(names, (name) => this.bytesOf(name)) : [names]) {
        const arrays = Object.fromEntries(group.map((name) => [name, values[name]]));
        await this.ask("write state", { act: "write", executor: this.id }, arrays);
      }
    });
  }

  saveState(path: string, places: Places): Promise<readonly string[]> {
    return this.turns.do(async () => {
      const request = { act: "save", executor: this.id, path: resolve(path), places: [...places] } as const;
      return (await this.ask("save state", request)).broken!;
    });
  }

  loadState(places: ReadonlyMap<string, FilePlace>): Promise<readonly string[]> {
    return this.turns.do(async () => {
      const files = [...places].map(
        ([name, place]) => [name, { ...place, path: resolve(place.path) }] as const,
      );
      return (await this.ask("load state", { act: "load", executor: this.id, files })).left!;
    });
  }

  alignState(): Promise<readonly string[]> {
    return this.turns.do(async () => {
      const changing = new Set(this.changing);
      const frozen = this.grouped([...this.sizes.keys()].filter((name) => !changing.has(name)));
      const request = {
        act: "align",
        executor: this.id,
        changing: this.grouped(this.changing),
        frozen,
      } as const;
      return (await this.ask("align state", request)).differing!;
    });
  }

  sameState(): Promise<boolean> {
    return this.turns.do(async () => {
      const request = { act: "same", executor: this.id, changing: this.grouped(this.changing) } as const;
      return (await this.ask("compare state", request)).same!;
    });
  }

  dispose(): Promise<void> {
    return this.turns.close(() => releaseExecutor(this.process, this.id));
  }

  private async ask(task: string, request: Request, arrays: ArraysByName = {}): Promise<Answer> {
    const answer = await this.process.ask(task, request, arrays);
    const moved = bytesIn(arrays) + bytesIn(answer.arrays);
    this.traffic = { process: this.traffic.process + moved, device: answer.device! };
    return answer;
  }

  private grouped(names: readonly string[]): string[][] {
    return [...inGroups(names, (name) => this.bytesOf(name))];
  }

  private bytesOf(entry: string): number {
    return 4 * (this.sizes.get(entry) ?? 0);
  }
}

const bytesIn = (arrays: ArraysByName) =>
  Object.values(arrays).reduce((sum, { byteLength }) => sum + byteLength, 0);

/** A process that has died holds nothing any more. */
async function releaseExecutor(process: EngineProcess, executor: number): Promise<void> {
  if (!process.executors.delete(executor)) return;
  try {
    await process.ask("dispose of an executor", { act: "dispose", executor });
  } catch (error) {
    if (process.alive) throw error;
  }
}

let opened = 0;

/** Opens an executor in a process that runs. */
export async function openIn(
  process: EngineProcess,
  programs: Programs,
  options: OpenOptions,
): Promise<Engine> {
  const state = commonState(programs);
  const changed = new Set(Object.values(programs).flatMap(({ graph }) => changedState(graph)));
  const executor = opened++;
  const packed = packPrograms(programs);
  const request = { act: "open", executor, programs: packed.programs, options } as const;
  const task = `open ${Object.keys(programs).join(", ")}`;
  const { description: told } = await process.ask(task, request, packed.arrays);
  const description = {
    ...told!,
    adapter: told!.device === "webgpu" ? adapterOf(process.pid!)?.name : undefined,
  };
  process.executors.add(executor);
  const names = state.map(({ name }) => name);
  const sizes = new Map(state.map(({ name, value }) => [name, sizeOf(value.shape)]));
  const changing = names.filter((name) => changed.has(name));
  const opening = new RemoteEngine({ description, process, id: executor, sizes, changing });
  forgotten.register(opening, () => void releaseExecutor(process, executor).catch(() => undefined));
  return opening;
}
