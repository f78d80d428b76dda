import { createHash } from "node:crypto";
import { groupFor, type WorkerGroup } from "../../distributed/group";
import type { Engine } from "../executor";
import type { NameGroups } from "./messages";

/** Bytes of SHA-256. */
const DIGEST = 32;

/**
 * Gives entries that programs change the first worker's numbers; gives back the names of the others in which workers
 * differ. All workers call it together.
 */
export async function alignState(
  engine: Engine,
  changing: NameGroups,
  frozen: NameGroups,
): Promise<string[]> {
  const group = groupFor("aligning state");
  for (const names of changing) await broadcastEntries(engine, group, names);
  const names = frozen.flat();
  const differs = await differences(group, await digests(engine, frozen));
  return names.filter((_, i) => differs[i]);
}

/** Whether all workers have the same numbers, to the bit. */
export async function sameState(engine: Engine, changing: NameGroups): Promise<boolean> {
  const all = await digests(engine, changing);
  const whole = createHash("sha256").update(all).digest();
  return !(await differences(groupFor("comparing state"), whole))[0];
}

async function broadcastEntries(engine: Engine, group: WorkerGroup, names: readonly string[]): Promise<void> {
  const values = await engine.readState(names);
  for (const name of names) await group.broadcast(values[name]);
  if (group.rank > 0) await engine.writeState(values);
}

/** Which digests are not the first worker's, for any of them. */
async function differences(group: WorkerGroup, own: Uint8Array): Promise<boolean[]> {
  const first = Uint8Array.from(own);
  await group.broadcast(first);
  const count = own.length / DIGEST;
  const differing = Float64Array.from({ length: count }, (_, i) => {
    const digest = (of: Uint8Array) => Buffer.from(of.buffer, of.byteOffset + i * DIGEST, DIGEST);
    return digest(own).equals(digest(first)) ? 0 : 1;
  });
  await group.sum(differing);
  return Array.from(differing, (workers) => workers > 0);
}

/** Of each entry, one after the other. */
async function digests(engine: Engine, groups: NameGroups): Promise<Uint8Array> {
  const result = new Uint8Array(DIGEST * groups.flat().length);
  let at = 0;
  for (const names of groups) {
    const values = await (engine.viewState ?? engine.readState).call(engine, names);
    for (const name of names) {
      const { buffer, byteOffset, byteLength } = values[name];
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      result.set(createHash("sha256").update(bytes).digest(), at);
      at += DIGEST;
    }
  }
  return result;
}
