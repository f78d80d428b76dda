import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadBlock as readBlock } from "../src/models/llama";
import { llama7b } from "../src/models/llamaBlock";
import { alternate, timed } from "./core/alternate";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import { type BlockBytes, writeLlamaCheckpoint } from "./core/llamaCheckpoint";
import { collectGarbage, memoryOfTree } from "./core/memory";
import type { BenchOptions } from "./core/options";
import { Peer, peerProblem } from "./core/peer";
import { presetOf } from "./core/presets";
import type { Report } from "./core/report";
import { type Spread, spreadOf } from "./core/statistics";

/** Reading a frozen block out of a whole checkpoint, against reading its bytes and nothing else. */
export interface LoadBlockResult extends Heading {
  ms: Spread;
  plain_read_ms: Spread;
  /** Of the medians: loading / plain reading. */
  times_plain_read: number;
  /** Bytes of the block in the file, 1e6. */
  file_mb: number;
  mb_per_s: number;
  peak_rss_mb: number;
  peer: { description: string; ms: Spread; ratio: number; peak_rss_mb: number } | null;
  notes: string[];
}

/** The files are in the page cache: the disk is not what is measured. */
export async function loadBlock(options: BenchOptions): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "luvit-bench-"));
  try {
    const { llama = llama7b } = presetOf(options.preset);
    const large = llama.dim >= 4096;
    const sizes = { ...llama, layers: large ? 32 : 4, vocabulary: large ? 32_000 : 256 };
    const bytes = await writeLlamaCheckpoint(folder, sizes);
    const result = await measure(options, folder, bytes);
    return { json: { ...result, ...noFigures }, text: loadBlockText(result) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(options: BenchOptions, folder: string, bytes: BlockBytes): Promise<LoadBlockResult> {
  const notes: string[] = [];
  const peer = await startPeer(options, folder, notes);
  const ours = timed(async () => {
    const block = await readBlock(folder);
    const [[, first]] = block.namedParameters();
    const { data } = await first.read();
    block.dispose();
    return data[0];
  });
  const sides = [ours, timed(() => readPlainly(bytes)), ...(peer ? [peer] : [])];
  const runs = await alternate(sides, { ...options, after: collectGarbage });
  const [own, plain, theirs] = runs.map((side) => spreadOf(side.map(({ ms }) => ms)));
  const pids = peer ? [peer.pid] : [];
  const { peak } = memoryOfTree(process.pid, pids);
  const megabytes = (bytes.end - bytes.start) / 1e6;
  const result: LoadBlockResult = {
    ...headingOf(options, null),
    ms: own,
    plain_read_ms: plain,
    times_plain_read: own.median / plain.median,
    file_mb: megabytes,
    mb_per_s: (1000 * megabytes) / own.median,
    peak_rss_mb: peak,
    peer: peer
      ? {
          description: "safetensors and PyTorch, to float32",
          ms: theirs,
          ratio: theirs.median / own.median,
          peak_rss_mb: peer.peakMegabytes(),
        }
      : null,
    notes,
  };
  await peer?.close();
  return result;
}

async function startPeer(options: BenchOptions, folder: string, notes: string[]): Promise<Peer | undefined> {
  if (options.peer === undefined) return undefined;
  const problem =
    options.peer === "torch" ? peerProblem(["torch", "safetensors"]) : "load-block has no such peer";
  if (problem === undefined) return (await Peer.start("block_peer.py", { folder }))[0];
  notes.push(`NO PEER: ${problem}`);
  return undefined;
}

/** In pieces, one after the other, kept as one array. */
async function readPlainly({ file, start, end }: BlockBytes): Promise<number> {
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

function loadBlockText(result: LoadBlockResult): string {
  const { ms, plain_read_ms: plain, peer } = result;
  const seconds = ({ median, min, max }: Spread) =>
    `${(median / 1000).toFixed(2)} s (${(min / 1000).toFixed(2)} to ${(max / 1000).toFixed(2)})`;
  return [
    ...headingText(result),
    `  luvit.llama.loadBlock of ${result.file_mb.toFixed(1)} MB float16: ${seconds(ms)}, ${result.mb_per_s.toFixed(0)} MB/s`,
    `  plain reading of the same bytes: ${seconds(plain)}; loading takes ${result.times_plain_read.toFixed(1)} times that`,
    `  peak memory ${result.peak_rss_mb.toFixed(0)} MB`,
    ...(peer
      ? [
          `  ${peer.description}: ${seconds(peer.ms)}, peak memory ${peer.peak_rss_mb.toFixed(0)} MB; peer's time / ours ${peer.ratio.toFixed(2)}`,
        ]
      : []),
    ...result.notes.map((note) => `!! ${note}`),
  ].join("\n");
}
