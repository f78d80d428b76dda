import { LuvitError } from "../../../core/errors";
import { groupFor } from "../../../distributed/group";
import { allGood } from "../../../distributed/sumGradients";
import type { GraphInput } from "../../../graph/ir";
import { checkArrays, expectEntries, expectNoneEmpty } from "../../arrays";
import { type ArraysByName, GRADIENT_NORM, type TypedArray } from "../../executor";
import type { Memory } from "../memory";
import type { OnnxDtype } from "../model";
import type { OnnxProgram, Results } from "../program";
import type { OnnxTensor } from "../runtime";
import type { ChunkGradients, DeviceAdamW, Parameters } from "./adamw";
import type { Chunk } from "./chunks";
import type { Moments } from "./moments";
import type { Transfer } from "./transfer";

/**
 * State in the device's memory: weights, moments and held gradients stay there from run to run. Only what is fed goes up,
 * only results that were asked for come down.
 */
export class DeviceMemory implements Memory, Parameters {
  readonly onDevice = true;
  private readonly inputs: ReadonlyMap<string, GraphInput>;
  private readonly tensors = new Map<string, OnnxTensor>();
  private readonly changing: ReadonlySet<string>;
  private readonly transfer: Transfer;
  private readonly moments: Moments;
  private readonly adamW: DeviceAdamW;
  private readonly halved: ReadonlySet<string>;
  /** What went wrong in a step that was not finished. */
  private broken: string | undefined;

  constructor(parts: {
    inputs: readonly GraphInput[];
    /** Entries that a program changes. */
    changing: readonly string[];
    transfer: Transfer;
    moments: Moments;
    adamW: DeviceAdamW;
    /** Entries that are kept in float16. */
    halved: ReadonlySet<string>;
  }) {
    this.inputs = new Map(parts.inputs.map((input) => [input.name, input]));
    this.changing = new Set(parts.changing);
    this.transfer = parts.transfer;
    this.moments = parts.moments;
    this.adamW = parts.adamW;
    this.halved = parts.halved;
  }

  operand(input: string): OnnxTensor | undefined {
    return this.tensors.get(input);
  }

  /** The old numbers may still be read while new ones are written: the run makes room of its own. */
  next(): undefined {
    return undefined;
  }

  holds(entry: string): boolean {
    return this.inputs.has(entry);
  }

  requireWritten(entries: readonly string[]): void {
    this.requireWhole();
    const empty = entries.filter((name) => !this.tensors.has(name) && !this.moments.has(name));
    expectNoneEmpty(empty);
  }

  replace(name: string, tensor: OnnxTensor): void {
    this.tensors.get(name)?.dispose();
    this.tensors.set(name, tensor);
  }

  async take(program: OnnxProgram, results: Results, feeds: ArraysByName, hold: boolean) {
    try {
      return await this.takeAll(program, results, feeds, hold);
    } catch (error) {
      this.broken = (error as Error).message;
      throw this.brokenError();
    }
  }

  private async takeAll(
    program: OnnxProgram,
    results: Results,
    feeds: ArraysByName,
    hold: boolean,
  ): Promise<Record<string, Float32Array>> {
    const good = program.isGood(results);
    const trains = program.updates.length > 0;
    const entries = (trains ? this.adamW.chunks : []).map((chunk): [Chunk, OnnxTensor] => [
      chunk,
      results.get(chunk.name)!,
    ]);
    const gradients: ChunkGradients = new Map(entries);
    if (hold && trains) await this.adamW.hold(gradients, good);
    if (hold && trains) return {};
    if (trains) {
      const released = await this.adamW.release(gradients, good);
      return this.update(program, await this.summed(program, released), results, feeds);
    }
    if (good) for (const name of program.changed) this.replace(name, results.get(name)!);
    else this.discard(program, results);
    return {};
  }

  /** The gradients of all workers, where the step is one of many: by way of the host's memory. */
  private async summed(
    { shared }: OnnxProgram,
    gradients: ChunkGradients | undefined,
  ): Promise<ChunkGradients | undefined> {
    if (!shared) return gradients;
    const group = groupFor("gradients of all workers");
    if (!(await allGood(group, gradients !== undefined))) {
      for (const tensor of gradients?.values() ?? []) tensor.dispose();
      return undefined;
    }
    const sums = new Map<Chunk, OnnxTensor>();
    for (const [chunk, tensor] of gradients!) {
      const numbers = Float32Array.from(await this.transfer.down("float32", tensor));
      tensor.dispose();
      await group.sum(numbers, shared);
      const value = { id: 0, shape: [chunk.size], dtype: "float32" } as const;
      sums.set(chunk, await this.transfer.up({ name: chunk.name, value }, numbers));
    }
    return sums;
  }

  /** A step of AdamW with all gradients; without them, and where they are not finite, nothing changes. */
  private async update(
    program: OnnxProgram,
    gradients: ChunkGradients | undefined,
    results: Results,
    feeds: ArraysByName,
  ): Promise<Record<string, Float32Array>> {
    const { clipGradNorm, lossScale: input } = program;
    const lossScale = input === undefined ? undefined : feeds[input][0];
    const schedule = program.schedule(results, feeds);
    const norm = gradients && (await this.adamW.step(gradients, schedule, this, { clipGradNorm, lossScale }));
    const overflowed = lossScale !== undefined && !Number.isFinite(norm);
    if (gradients && !overflowed) for (const name of program.changed) this.replace(name, results.get(name)!);
    else this.discard(program, results);
    return lossScale === undefined ? {} : { [GRADIENT_NORM]: Float32Array.of(norm ?? Number.NaN) };
  }

  async read(names: readonly string[] = [...this.changing]): Promise<Record<string, Float32Array>> {
    expectEntries(names, this.inputs);
    this.requireWritten(names);
    const moments = await this.moments.read(names.filter((name) => this.moments.has(name)));
    const values: Record<string, Float32Array> = {};
    for (const name of names) values[name] = moments.get(name) ?? (await this.readTensor(name));
    return values;
  }

  view(names?: readonly string[]): Promise<Record<string, Float32Array>> {
    return this.read(names);
  }

  async write(values: ArraysByName): Promise<void> {
    const names = Object.keys(values);
    expectEntries(names, this.inputs);
    checkArrays(
      "state",
      names.map((name) => this.inputs.get(name)!),
      values,
    );
    for (const name of names) await this.writeEntry(name, values[name]);
  }

  async dispose(): Promise<void> {
    for (const tensor of this.tensors.values()) tensor.dispose();
    this.tensors.clear();
    this.moments.dispose();
    await this.adamW.dispose();
    await this.transfer.dispose();
  }

  /** After a step that ended half-way nothing here belongs together. */
  private requireWhole(): void {
    if (this.broken !== undefined) throw this.brokenError();
  }

  private brokenError(): LuvitError {
    return new LuvitError(
      "engine",
      `the GPU stopped in the middle of a step (${this.broken}): go on from the last checkpoint, with a smaller batch ` +
        'if its memory is full, or with provider "cpu"',
    );
  }

  private async writeEntry(name: string, values: TypedArray): Promise<void> {
    if (this.moments.has(name)) await this.moments.write(name, values);
    else this.replace(name, await this.transfer.up(this.inputs.get(name)!, values, this.typeOf(name)));
  }

  private async readTensor(name: string): Promise<Float32Array> {
    const { dtype } = this.inputs.get(name)!.value;
    return Float32Array.from(await this.transfer.down(dtype, this.tensors.get(name)!, this.typeOf(name)));
  }

  /** What an entry's numbers are there. */
  private typeOf(name: string): OnnxDtype {
    return this.halved.has(name) ? "float16" : this.inputs.get(name)!.value.dtype;
  }

  private discard({ changed }: OnnxProgram, results: Results): void {
    for (const name of changed) results.get(name)!.dispose();
  }
}
