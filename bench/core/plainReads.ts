import { open } from "node:fs/promises";
import { Agent, request } from "undici";
import { commit } from "../../tests/support/hubImitation";
import type { BlockBytes } from "./llamaCheckpoint";

/** A file's stretch in pieces, one after the other, kept as one array. */
export async function readPlainly({ file, start, end }: BlockBytes): Promise<number> {
  const PIECE = 2 ** 24;
  const into = new Uint8Array(end - start);
  const handle = await open(file, "r");
  try {
    for (let at = 0; at < into.length; at += PIECE)
      await handle.read(into, at, Math.min(PIECE, into.length - at), start + at);
  } finally {
    await handle.close();
  }
  return into[0];
}

const agent = new Agent();

/**
 * The same stretch in one ranged request, kept as one array and not written anywhere. Of Node's HTTP clients this is the
 * fastest: half the time of `fetch` and `arrayBuffer`.
 */
export async function downloadPlainly(endpoint: string, name: string, range: BlockBytes): Promise<number> {
  const into = new Uint8Array(range.end - range.start);
  const headers = { range: `bytes=${range.start}-${range.end - 1}` };
  const resolved = await request(`${endpoint}/org/name/resolve/${commit}/${name}`, { dispatcher: agent });
  await resolved.body.dump();
  const { body } = await request(resolved.headers.location as string, { dispatcher: agent, headers });
  let at = 0;
  await new Promise<void>((resolve, reject) => {
    body.on("data", (chunk: Uint8Array) => {
      into.set(chunk, at);
      at += chunk.length;
    });
    body.on("end", resolve).on("error", reject);
  });
  return into[0];
}
