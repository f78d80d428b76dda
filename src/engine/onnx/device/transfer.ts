import type { GraphDtype, GraphInput } from "../../../graph/ir";
import type { TypedArray } from "../../executor";
import type { OnnxDtype, OnnxModel, OnnxPort } from "../model";
import { type OnnxRuntime, type OnnxSession, type OnnxTensor, tensorOf } from "../runtime";
import { createSession, type SessionSettings } from "../session";
import { copyModel, zerosModel } from "./models";

type Direction = "up" | "down";

/**
 * Brings numbers to the device and back: through a session that copies, since onnxruntime-node 1.30 has no other way up
 * and ends the process when a device's tensor is asked for its numbers.
 */
export class Transfer {
  private readonly sessions = new Map<string, OnnxSession>();

  constructor(
    private readonly runtime: OnnxRuntime,
    private readonly settings: SessionSettings,
  ) {}

  /** `there` is the element type that the numbers have on the device. */
  async up(input: GraphInput, array: TypedArray, there: OnnxDtype = input.value.dtype): Promise<OnnxTensor> {
    return this.copy("up", input.value.dtype, there, tensorOf(this.runtime, input, array));
  }

  async down(dtype: GraphDtype, tensor: OnnxTensor, there: OnnxDtype = dtype): Promise<TypedArray> {
    return (await this.copy("down", there, dtype, tensor)).data as TypedArray;
  }

  /** Zeros [size] on the device, without bringing them there. */
  async zeros(size: number): Promise<OnnxTensor> {
    const zero = new this.runtime.Tensor("float32", Float32Array.of(0), [1]);
    if (size === 1) return this.copy("up", "float32", "float32", zero);
    const session = await this.session(`zeros ${size}`, zerosModel(size), ["zeros"]);
    return (await session.run({ zero }, { zeros: null })).zeros;
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await session.release();
  }

  private async copy(
    direction: Direction,
    from: OnnxDtype,
    to: OnnxDtype,
    x: OnnxTensor,
  ): Promise<OnnxTensor> {
    const kept = direction === "up" ? ["y"] : [];
    const session = await this.session(`${direction} ${from} ${to}`, copyModel(from, to), kept);
    return (await session.run({ x }, { y: null })).y;
  }

  private async session(
    key: string,
    model: OnnxModel<OnnxPort>,
    kept: readonly string[],
  ): Promise<OnnxSession> {
    const session =
      this.sessions.get(key) ?? (await createSession(this.runtime, model, { ...this.settings, kept }));
    this.sessions.set(key, session);
    return session;
  }
}
