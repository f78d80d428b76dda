import { LuvitError } from "../../core/errors";
import type { Programs } from "../executor";
import type { Memory } from "./memory";
import type { OnnxProgram } from "./program";
import type { OnnxRuntime } from "./runtime";
import { createSession, type SessionSettings } from "./session";

/** What programs are opened from; their graphs have no copies left. */
export interface OpenParts {
  readonly runtime: OnnxRuntime;
  readonly programs: Programs;
  readonly settings: SessionSettings;
}

/** Programs that can run, and where their state is. */
export interface Opened {
  readonly opened: readonly OnnxProgram[];
  readonly memory: Memory;
  /** How far products in float16 are off, relative to them, root mean square. */
  readonly productError?: number;
}

/** @throws LuvitError("engine") with what onnxruntime has against a model. */
export async function attachSessions(
  runtime: OnnxRuntime,
  programs: readonly OnnxProgram[],
  settings: SessionSettings,
): Promise<void> {
  try {
    for (const program of programs)
      program.attach(await createSession(runtime, program.model, { ...settings, kept: program.kept }));
  } catch (error) {
    for (const program of programs) await program.release();
    throw error;
  }
}

/** Moments and gradients have one place each. */
export function refuseTwoTrainers(programs: readonly OnnxProgram[]): void {
  const trainers = programs.filter(({ updates }) => updates.length > 0).map(({ name }) => name);
  if (trainers.length < 2) return;
  const message = `programs ${trainers.join(" and ")} both end with AdamW; open them apart`;
  throw new LuvitError("bad-argument", message);
}
