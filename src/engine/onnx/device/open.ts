import { LuvitError } from "../../../core/errors";
import { splitUpdates } from "../../adamw/splitUpdates";
import { changedState, commonState, frozenFactors } from "../../programs";
import { attachSessions, type Opened, type OpenParts, refuseTwoTrainers } from "../open";
import { OnnxProgram } from "../program";
import { DeviceAdamW } from "./adamw";
import { type Chunk, chunksOf, joinGradients } from "./chunks";
import { halfError } from "./halfTrial";
import { DeviceMemory } from "./memory";
import { Moments } from "./moments";
import { Transfer } from "./transfer";

/**
 * Programs whose state is in the memory of the device that computes. With products in float16 the weights that matrices are
 * multiplied with and no program changes are kept in it too.
 */
export async function openOnDevice({ runtime, programs, settings }: OpenParts): Promise<Opened> {
  const { provider, products = "float32" } = settings;
  const halved = products === "float32" ? new Set<string>() : frozenFactors(programs);
  const split = Object.entries(programs).map(([name, program]) => {
    const parts = splitUpdates(program.graph);
    return { name, program, parts, chunks: chunksOf(parts.updates) };
  });
  const opened = split.map(
    ({ name, program, parts, chunks }) =>
      new OnnxProgram(name, program, joinGradients(parts, chunks), { provider, products, halved }),
  );
  refuseTwoTrainers(opened);
  const chunks = split.flatMap((program) => program.chunks);
  refuseReadMoments(opened, chunks);
  await attachSessions(runtime, opened, settings);
  const productError = products === "float16" ? await halfError(runtime, settings) : undefined;
  const transfer = new Transfer(runtime, settings);
  const moments = new Moments(transfer, chunks);
  const adamW = await new DeviceAdamW(runtime, settings, chunks, moments).open();
  const changing = Object.values(programs).flatMap(({ graph }) => changedState(graph));
  const inputs = commonState(programs);
  return {
    opened,
    productError,
    memory: new DeviceMemory({ inputs, changing, transfer, moments, adamW, halved }),
  };
}

/** Moments lie joined; only AdamW behind a graph takes them so. */
function refuseReadMoments(programs: readonly OnnxProgram[], chunks: readonly Chunk[]): void {
  const updates = chunks.flatMap((chunk) => chunk.updates);
  const moments = new Set(updates.flatMap(({ average, squares }) => [average, squares]));
  for (const { name, model } of programs) {
    const read = model.inputs.map((input) => input.name).filter((input) => moments.has(input));
    if (read.length === 0) continue;
    throw new LuvitError(
      "engine",
      `program "${name}" reads moments of AdamW (${read.join(", ")}), which it cannot on webgpu; use provider "cpu"`,
    );
  }
}
