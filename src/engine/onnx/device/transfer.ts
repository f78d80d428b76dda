import type { GraphDtype, GraphInput } from "../../../graph/ir";
import type { TypedArray } from "../../executor";
import { type OnnxRuntime, type OnnxSession, type OnnxTensor, tensorOf } from "../runtime";
import { createSession, type SessionSettings } from "../session";
import { copyModel } from "./models";

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

  async up(input: GraphInput, array: TypedArray): Promise<OnnxTensor> {
    return this.copy("up", input.value.dtype, tensorOf(this.runtime, input, array));
  }

  async down(dtype: GraphDtype, tensor: OnnxTensor): Promise<TypedArray> {
    return (await this.copy("down", dtype, tensor)).data as TypedArray;
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await session.release();
  }

  private async copy(direction: Direction, dtype: GraphDtype, x: OnnxTensor): Promise<OnnxTensor> {
    const key = `${direction} ${dtype}`;
    const kept = direction === "up" ? ["y"] : [];
    const session =
      this.sessions.get(key) ??
      (await createSession(this.runtime, copyModel(dtype), { ...this.settings, kept }));
    this.sessions.set(key, session);
    return (await session.run({ x }, { y: null })).y;
  }
}
