import { groupFor } from "../../../distributed/group";
import { sumGradients } from "../../../distributed/sumGradients";
import type { AdamWPool } from "../../adamw/pool";
import { clipFactor, normOf } from "../../clipGradNorm";
import type { ArraysByName } from "../../executor";
import type { Memory } from "../memory";
import type { OnnxProgram, Results } from "../program";
import { freeArrays } from "./freeArrays";
import { type Gradients, HeldGradients } from "./heldGradients";
import type { HostState } from "./state";

/** State in this process's memory; AdamW runs over it in WebAssembly and threads. */
export class HostMemory implements Memory {
  readonly onDevice = false;
  private readonly held = new HeldGradients();

  constructor(
    private readonly state: HostState,
    private readonly pool: AdamWPool,
  ) {}

  operand(input: string) {
    return this.state.operand(input);
  }

  next(entry: string) {
    return this.state.next(entry);
  }

  holds(entry: string): boolean {
    return this.state.current(entry) !== undefined;
  }

  requireWritten(inputs: readonly string[]): void {
    this.state.requireWritten(inputs);
  }

  async take(program: OnnxProgram, results: Results, feeds: ArraysByName, hold: boolean) {
    const gradients: Gradients = new Map(
      program.gradients.map((name) => [name, results.get(name)!.data as Float32Array]),
    );
    const good = program.isGood(results);
    if (hold) {
      this.held.add(gradients, good);
      return {};
    }
    const heldWereGood = program.updates.length === 0 || this.held.release(gradients);
    if (await this.summed(program, gradients, heldWereGood && good)) {
      if (program.updates.length > 0) this.update(program, gradients, program.schedule(results, feeds));
      this.state.advance(program.changed);
    }
    freeArrays(gradients.values());
    return {};
  }

  async read(names?: readonly string[]) {
    return this.state.read(names);
  }

  async view(names?: readonly string[]) {
    return this.state.view(names);
  }

  async write(values: ArraysByName): Promise<void> {
    this.state.write(values);
  }

  async dispose(): Promise<void> {}

  /** Whether the step may be made, with the gradients of all workers where it is one of many. */
  private async summed({ shared }: OnnxProgram, gradients: Gradients, good: boolean): Promise<boolean> {
    return shared
      ? sumGradients(groupFor("gradients of all workers"), [...gradients.values()], good, shared)
      : good;
  }

  private update(
    { clipGradNorm }: OnnxProgram,
    gradients: Gradients,
    schedule: (name: string) => ArrayLike<number>,
  ): void {
    const factor = clipGradNorm === undefined ? 1 : clipFactor(normOf(gradients.values()), clipGradNorm);
    this.pool.step(schedule, (name) => gradients.get(name)!, factor);
  }
}
