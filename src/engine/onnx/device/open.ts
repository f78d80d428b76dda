import { splitUpdates } from "../../adamw/splitUpdates";
import { changedState, commonState } from "../../programs";
import { attachSessions, type Opened, type OpenParts, refuseTwoTrainers } from "../open";
import { OnnxProgram } from "../program";
import { DeviceAdamW } from "./adamw";
import { chunksOf, joinGradients } from "./chunks";
import { DeviceMemory } from "./memory";
import { Moments } from "./moments";
import { Transfer } from "./transfer";

/** Programs whose state is in the memory of the device that computes. */
export async function openOnDevice({ runtime, programs, settings }: OpenParts): Promise<Opened> {
  const { provider } = settings;
  const split = Object.entries(programs).map(([name, program]) => {
    const parts = splitUpdates(program.graph);
    return { name, program, parts, chunks: chunksOf(parts.updates) };
  });
  const opened = split.map(
    ({ name, program, parts, chunks }) =>
      new OnnxProgram(name, program, joinGradients(parts, chunks), { provider }),
  );
  refuseTwoTrainers(opened);
  await attachSessions(runtime, opened, settings);
  const chunks = split.flatMap((program) => program.chunks);
  const transfer = new Transfer(runtime, settings);
  const moments = new Moments(transfer, chunks);
  const adamW = await new DeviceAdamW(runtime, chunks, moments).open(settings);
  const changing = Object.values(programs).flatMap(({ graph }) => changedState(graph));
  const inputs = commonState(programs);
  return { opened, memory: new DeviceMemory({ inputs, changing, transfer, moments, adamW }) };
}
