import { clipFactor, OVERFLOW_SCALE } from "../../clipGradNorm";
import type { OnnxRuntime, OnnxSession, OnnxTensor } from "../runtime";
import { createSession, type SessionSettings } from "../session";
import type { Chunk } from "./chunks";
import { addModel, operands, squaresModel, updated, updateModel } from "./models";
import type { Moments } from "./moments";

/** Gradients of one run, one array for each chunk. */
export type ChunkGradients = ReadonlyMap<Chunk, OnnxTensor>;

/** What gradients are multiplied by before AdamW sees them. */
export interface StepFactors {
  /** Greatest norm; default any. */
  readonly clipGradNorm?: number;
  /** What the loss was multiplied by; default 1. */
  readonly lossScale?: number;
}

/** Parameters by name, as the update finds and leaves them. */
export interface Parameters {
  operand(name: string): OnnxTensor | undefined;
  replace(name: string, tensor: OnnxTensor): void;
}

const models = {
  update: updateModel,
  add: addModel,
  squares: (chunk: Chunk) => squaresModel(chunk),
  /** Squares of gradients that single precision does not hold the squares of. */
  smallerSquares: (chunk: Chunk) => squaresModel(chunk, OVERFLOW_SCALE),
};

/** AdamW on the device, chunk by chunk, so that old and new state stand side by side for one chunk only. */
export class DeviceAdamW {
  private readonly sessions = new Map<string, OnnxSession>();
  private sums: ChunkGradients | undefined;
  private finite = true;

  constructor(
    private readonly runtime: OnnxRuntime,
    private readonly settings: SessionSettings,
    readonly chunks: readonly Chunk[],
    private readonly moments: Moments,
  ) {}

  /** Compiles what every step needs; the rest when it is first needed. */
  async open(): Promise<this> {
    for (const chunk of this.chunks) await this.session("update", chunk);
    return this;
  }

  /** Keeps one run's gradients for later; `finite` says whether its results were. */
  async hold(gradients: ChunkGradients, finite: boolean): Promise<void> {
    this.finite &&= finite;
    this.sums = await this.withSums(gradients);
  }

  /** Adds what was held; undefined, with everything given back, if a run that took part was not finite. */
  async release(gradients: ChunkGradients, finite: boolean): Promise<ChunkGradients | undefined> {
    const good = this.finite && finite;
    const all = good ? await this.withSums(gradients) : undefined;
    if (!good)
      for (const given of [gradients, this.sums])
        for (const tensor of given?.values() ?? []) tensor.dispose();
    this.sums = undefined;
    this.finite = true;
    return all;
  }

  /**
   * One step, unless the loss was scaled and the gradients are not finite. `schedule` by name: (rate, 1 - beta1^t,
   * 1 - beta2^t). The gradients are given back; their norm, divided by the scale, where it was needed, is told.
   */
  async step(
    gradients: ChunkGradients,
    schedule: (name: string) => ArrayLike<number>,
    parameters: Parameters,
    { clipGradNorm, lossScale }: StepFactors,
  ): Promise<number | undefined> {
    const isPlain = clipGradNorm === undefined && lossScale === undefined;
    let norm = isPlain ? undefined : (await this.normOf(gradients, "squares")) / (lossScale ?? 1);
    if (lossScale !== undefined && !Number.isFinite(norm)) {
      for (const tensor of gradients.values()) tensor.dispose();
      return norm;
    }
    if (norm === Number.POSITIVE_INFINITY) {
      norm = (await this.normOf(gradients, "smallerSquares")) / OVERFLOW_SCALE;
    }
    const clip = clipGradNorm === undefined ? 1 : clipFactor(norm!, clipGradNorm);
    const factor = clip / (lossScale ?? 1);
    for (const chunk of this.chunks) {
      const { lrScale, weightDecay, schedule: name } = chunk.updates[0];
      const [rate, correction1, correction2] = Array.from(schedule(name));
      const lr = rate * lrScale;
      const numbers = [1 - lr * weightDecay, lr / correction1, 1 / Math.sqrt(correction2), factor];
      await this.update(chunk, gradients.get(chunk)!, Float32Array.from(numbers), parameters);
    }
    return norm;
  }

  async dispose(): Promise<void> {
    for (const tensor of this.sums?.values() ?? []) tensor.dispose();
    for (const session of this.sessions.values()) await session.release();
  }

  private async session(kind: keyof typeof models, chunk: Chunk): Promise<OnnxSession> {
    const key = `${kind} ${chunk.name}`;
    const known = this.sessions.get(key);
    if (known) return known;
    const model = models[kind](chunk);
    const kept = kind === "squares" || kind === "smallerSquares" ? [] : model.outputs.map(({ name }) => name);
    const session = await createSession(this.runtime, model, { ...this.settings, kept });
    this.sessions.set(key, session);
    return session;
  }

  private async update(
    chunk: Chunk,
    gradients: OnnxTensor,
    numbers: Float32Array,
    parameters: Parameters,
  ): Promise<void> {
    const names = chunk.updates.map(({ parameter }) => parameter);
    const feeds = Object.fromEntries(names.map((name) => [name, parameters.operand(name)!]));
    const moments = await this.moments.of(chunk);
    const given = { [operands.numbers]: new this.runtime.Tensor("float32", numbers, [4]) };
    const update = await this.session("update", chunk);
    const results = await update.run(
      { ...feeds, ...moments, ...given, [operands.gradients]: gradients },
      Object.fromEntries([...names, operands.average, operands.squares].map((name) => [updated(name), null])),
    );
    for (const name of names) parameters.replace(name, results[updated(name)]);
    this.moments.replace(chunk, results[updated(operands.average)], results[updated(operands.squares)]);
    gradients.dispose();
  }

  private async withSums(gradients: ChunkGradients): Promise<ChunkGradients> {
    if (!this.sums) return gradients;
    const added = new Map<Chunk, OnnxTensor>();
    for (const [chunk, more] of gradients) {
      const add = await this.session("add", chunk);
      const sums = this.sums.get(chunk)!;
      const result = updated(operands.sums);
      added.set(chunk, (await add.run({ sums, gradients: more }, { [result]: null }))[result]);
      for (const tensor of [sums, more]) tensor.dispose();
    }
    return added;
  }

  /** Norm of all numbers of all chunks together, of what the model makes of them. */
  private async normOf(gradients: ChunkGradients, kind: "squares" | "smallerSquares"): Promise<number> {
    let sum = 0;
    for (const [chunk, tensor] of gradients) {
      const squares = await this.session(kind, chunk);
      const result = await squares.run({ gradients: tensor }, { squares: null });
      for (const square of result.squares.data as Float32Array) sum += square;
    }
    return Math.sqrt(sum);
  }
}
