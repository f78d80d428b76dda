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
import { InTurn } from "../inTurn";
import { withoutCopies } from "../lower";
import { programNamed } from "../programs";
import { openOnDevice } from "./device/open";
import { openOnHost } from "./host/open";
import type { Memory } from "./memory";
import type { OnnxProgram } from "./program";
import { loadOnnxRuntime, type OnnxRuntime } from "./runtime";
import { settleOptions } from "./session";
import { HostTraffic } from "./traffic";

class OnnxEngine implements Engine {
  private readonly turns: InTurn;
  readonly description: EngineDescription;
  private readonly runtime: OnnxRuntime;
  private readonly programs: ReadonlyMap<string, OnnxProgram>;
  private readonly memory: Memory;
  private readonly hostTraffic: HostTraffic;

  constructor(parts: {
    description: EngineDescription;
    runtime: OnnxRuntime;
    programs: ReadonlyMap<string, OnnxProgram>;
    memory: Memory;
    traffic: HostTraffic;
  }) {
    const { description, runtime, programs, memory, traffic } = parts;
    this.description = description;
    this.runtime = runtime;
    this.programs = programs;
    this.memory = memory;
    this.hostTraffic = traffic;

    this.turns = new InTurn(describeEngine(description));
  }

  get traffic(): Traffic {
    const isHost = this.description.device === "cpu";
    return { process: 0, device: isHost ? 0 : this.hostTraffic.bytes };
  }

  run(name: string, feeds: ArraysByName, { fetch, hold = false }: RunOptions = {}) {
    return this.turns.do(() => {
      const program = programNamed(this.programs, name);
      return this.runNow(program, feeds, fetch ?? program.results, hold);
    });
  }

  readState(names?: readonly string[]): Promise<Record<string, Float32Array>> {
    return this.turns.do(() => this.memory.read(names));
  }

  viewState(names?: readonly string[]): Promise<Record<string, Float32Array>> {
    return this.turns.do(() => this.memory.view(names));
  }

  writeState(values: ArraysByName): Promise<void> {
    return this.turns.do(() => this.memory.write(values));
  }

  dispose(): Promise<void> {
    return this.turns.close(async () => {
      await this.memory.dispose();
      for (const program of this.programs.values()) await program.release();
    });
  }

  private async runNow(program: OnnxProgram, feeds: ArraysByName, fetch: readonly string[], hold: boolean) {
    if (hold) program.expectHoldable();
    const { runtime, memory } = this;
    const fromState = fetch.filter((name) => memory.holds(name));
    const fromRun = fetch.filter((name) => !fromState.includes(name));
    const results = await program.run(runtime, feeds, fromRun, memory);
    const values = fromRun.map((name) => [
      name,
      Float32Array.from(results.get(name)!.data as ArrayLike<number>),
    ]);
    const told = await memory.take(program, results, feeds, hold);
    return { ...told, ...Object.fromEntries(values), ...(await memory.read(fromState)) };
  }
}

/**
 * Compiles traced graphs with onnxruntime. On the CPU the AdamW updates at the end of one run outside it, in WebAssembly
 * over the memory that onnxruntime reads weights from; on WebGPU the state stays in the device's memory and so do they.
 *
 * @param open Says where the state is to be; what keeps it on a device keeps it in host memory where there is none.
 * @throws LuvitError("engine") when onnxruntime-node is missing, or when a graph has ops without a rule.
 */
export async function openOnnxEngine(
  programs: Programs,
  options: OpenOptions = {},
  open = options.provider === "webgpu" ? openOnDevice : openOnHost,
): Promise<Engine> {
  const settings = settleOptions(options);
  const { threads, provider, frozen, products = "float32" } = settings;
  const runtime = loadOnnxRuntime();
  const traffic = new HostTraffic();
  const parts = { runtime, programs: withoutAnyCopies(programs), settings: { ...settings, traffic } };
  const { opened, memory, productError } = await open(parts);
  const description: EngineDescription = {
    engine: "onnxruntime",
    device: provider,
    threads: provider === "cpu" ? threads : undefined,
    precision: products,
    productError,
    frozen,
  };
  const byName = new Map(opened.map((program) => [program.name, program]));
  return new OnnxEngine({ description, runtime, programs: byName, memory, traffic });
}

const withoutAnyCopies = (programs: Programs): Programs =>
  Object.fromEntries(
    Object.entries(programs).map(([name, program]) => [
      name,
      { ...program, graph: withoutCopies(program.graph) },
    ]),
  );
