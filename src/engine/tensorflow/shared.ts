import { groupFor } from "../../distributed/group";
import { sumGradients } from "../../distributed/sumGradients";
import type { ArraysByName } from "../executor";
import type { Feed } from "./feeds";
import type { TfProgram } from "./program";
import type { TfSession } from "./session";
import { type WriterPlace, writeVariable } from "./writers";

/**
 * The step of one worker among several: the gradients that a program has kept go to the host, become those of all workers
 * there, go back, and are applied. Where one worker's are not good nothing changes; tells whether they were.
 */
export async function applyShared(
  session: TfSession,
  program: TfProgram,
  writers: ReadonlyMap<string, WriterPlace>,
  feeds: ArraysByName,
  good: boolean,
): Promise<boolean> {
  const { held, apply, precision } = program.shared!;
  const fetched = good
    ? session.run(
        [],
        held.map(({ read }) => read),
      )
    : [];
  const gradients = fetched.map((array) => array as Float32Array);
  if (!(await sumGradients(groupFor("gradients of all workers"), gradients, good, precision))) return false;
  for (const [i, { input }] of held.entries()) {
    writeVariable(session, writers.get(input.name)!, input.value.shape, gradients[i]);
  }
  const schedules = program.schedules.map((name): Feed => {
    return { place: program.places.get(name)!, shape: [feeds[name].length], array: feeds[name] };
  });
  session.run(schedules, [apply]);
  return true;
}
