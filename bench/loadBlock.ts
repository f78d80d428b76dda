import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type LoadBlockOptions, loadBlock as load } from "../src/models/llama";
import type { LlamaBlocks } from "../src/models/llamaBlock";
import { llama7b } from "../src/models/llamaConfig";
import { alternate, type Run, type Side, timed } from "./core/alternate";
import { Child } from "./core/child";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import type { HubCount, HubQuestion } from "./core/hubProcess";
import { type BlockBytes, writeLlamaCheckpoint } from "./core/llamaCheckpoint";
import type { LoadPeaks, LoadQuestion } from "./core/loadProcess";
import { collectGarbage } from "./core/memory";
import type { BenchOptions } from "./core/options";
import { Peer, peerProblem } from "./core/peer";
import { downloadPlainly, readPlainly } from "./core/plainReads";
import { presetOf } from "./core/presets";
import type { Report } from "./core/report";
import { median, type Spread, spreadOf } from "./core/statistics";

/** One place a block is loaded from, against moving the same bytes and nothing else. */
export interface LoadScenario {
  /** Until the block is there, checked, in its stored type. */
  ms: Spread;
  plain_ms: Spread;
  /** Loading / plain: of the medians, and the median over neighboring pairs. */
  ratio: { medians: number; pairwise: number };
  /** Of a process that does nothing else, 1e6 bytes. */
  peaks_mb: LoadPeaks;
}

/** Reading a frozen block out of a whole checkpoint, from disk and over HTTP. */
export interface LoadBlockResult extends Heading {
  /** Bytes of the block in the file, 1e6. */
  file_mb: number;
  /** 1.2 times the block as stored, and the block in float32; 1e6 bytes. */
  memory_limit_mb: number;
  disk: LoadScenario;
  /** Until every number of a block from disk has been float32. */
  float32_ms: Spread;
  http: LoadScenario & {
    /** Everything the server sent for one load, headers of HTTP and JSON included, 1e6 bytes. */
    sent_mb: number;
    requests: number;
  };
  /** The peer reads from disk to float32; ratio: its time / our float32_ms. */
  peer: { description: string; ms: Spread; ratio: number; peak_rss_mb: number } | null;
  notes: string[];
}

/** The files are in the page cache: the disk is not what is measured. */
export async function loadBlock(options: BenchOptions): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "luvit-bench-"));
  const server = Child.start(join(__dirname, "core", "hubProcess.js"));
  try {
    const { llama = llama7b } = presetOf(options.preset);
    const large = llama.dim >= 4096;
    const sizes = { ...llama, layers: large ? 32 : 4, vocabulary: large ? 32_000 : 256 };
    const checkpoint = join(folder, "checkpoint");
    const bytes = await writeLlamaCheckpoint(checkpoint, sizes);
    const endpoint = await server.ask<string>({ serve: checkpoint } satisfies HubQuestion);
    const result = await measure(options, { folder, checkpoint, bytes, endpoint, server });
    return { json: { ...result, ...noFigures }, text: loadBlockText(result) };
  } finally {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Setting {
  folder: string;
  checkpoint: string;
  bytes: BlockBytes;
  endpoint: string;
  server: Child;
}

async function measure(options: BenchOptions, setting: Setting): Promise<LoadBlockResult> {
  const { checkpoint, bytes, endpoint, server } = setting;
  const notes: string[] = [];
  const peer = await startPeer(options, checkpoint, notes);
  const disk = () => withBlock(checkpoint, {}, async () => 0);
  const widened = () => withBlock(checkpoint, {}, widenAll);
  const fromDisk = [timed(disk), timed(() => readPlainly(bytes)), timed(widened)].map(alone);
  const [ours, plain, float32, theirs] = await alternate([...fromDisk, ...(peer ? [peer] : [])], options);
  const name = basename(bytes.file);
  const overHttp = [hubSide(setting), timed(() => downloadPlainly(endpoint, name, bytes))].map(alone);
  const [remote, download] = await alternate(overHttp, options);
  const fresh = await hubOptions(setting);
  await server.ask<HubCount>({ count: true } satisfies HubQuestion);
  const remotePeaks = await peaksOf({ path: "org/name", options: fresh });
  const { bytes: sent, requests } = await server.ask<HubCount>({ count: true } satisfies HubQuestion);
  const megabytes = (bytes.end - bytes.start) / 1e6;
  const float32_ms = spreadOf(float32.map(({ ms }) => ms));
  const peerMs = peer && spreadOf(theirs.map(({ ms }) => ms));
  const result: LoadBlockResult = {
    ...headingOf(options, null),
    file_mb: megabytes,
    memory_limit_mb: 1.2 * megabytes + 2 * megabytes,
    disk: scenario(ours, plain, await peaksOf({ path: checkpoint, options: {} })),
    float32_ms,
    http: { ...scenario(remote, download, remotePeaks), sent_mb: sent / 1e6, requests },
    peer: peerMs
      ? {
          description: "safetensors and PyTorch, to float32",
          ms: peerMs,
          ratio: peerMs.median / float32_ms.median,
          peak_rss_mb: peer.peakMegabytes(),
        }
      : null,
    notes,
  };
  await peer?.close();
  return result;
}

/** Memory of earlier runs is given back before the time begins; the system takes a while for it. */
function alone(side: Side): Side {
  return {
    async run() {
      collectGarbage();
      await pause(200);
      return side.run();
    },
  };
}

async function withBlock(
  path: string,
  options: LoadBlockOptions,
  use: (block: LlamaBlocks) => Promise<number>,
): Promise<number> {
  const block = await load(path, options);
  const result = await use(block);
  block.dispose();
  return result;
}

async function widenAll(block: LlamaBlocks): Promise<number> {
  let sum = 0;
  for (const [, parameter] of block.namedParameters()) sum += (await parameter.peek())[0];
  return sum;
}

/** Loads into a cache that holds nothing yet, and empties it again outside the time. */
function hubSide(setting: Setting): Side {
  return {
    async run() {
      const options = await hubOptions(setting);
      const { ms, result } = await timed(() => withBlock("org/name", options, async () => 0)).run();
      await rm(options.hub!.cache!, { recursive: true });
      return { ms, result };
    },
  };
}

async function hubOptions({ folder, endpoint }: Setting): Promise<LoadBlockOptions> {
  return {
    block: undefined,
    hub: { endpoint, cache: await mkdtemp(join(folder, "cache-")), offline: false },
  };
}

async function peaksOf(question: LoadQuestion): Promise<LoadPeaks> {
  const child = Child.start(join(__dirname, "core", "loadProcess.js"));
  try {
    return await child.ask<LoadPeaks>(question);
  } finally {
    await child.close();
  }
}

function scenario(ours: readonly Run[], plain: readonly Run[], peaks_mb: LoadPeaks): LoadScenario {
  const [ms, plain_ms] = [ours, plain].map((runs) => spreadOf(runs.map((run) => run.ms)));
  const pairwise = median(ours.map((run, i) => run.ms / plain[i].ms));
  return { ms, plain_ms, ratio: { medians: ms.median / plain_ms.median, pairwise }, peaks_mb };
}

async function startPeer(options: BenchOptions, folder: string, notes: string[]): Promise<Peer | undefined> {
  if (options.peer === undefined) return undefined;
  const problem =
    options.peer === "torch" ? peerProblem(["torch", "safetensors"]) : "load-block has no such peer";
  if (problem === undefined) return (await Peer.start("block_peer.py", { folder }))[0];
  notes.push(`NO PEER: ${problem}`);
  return undefined;
}

function loadBlockText(result: LoadBlockResult): string {
  const { disk, http, float32_ms, peer } = result;
  const seconds = ({ median, min, max }: Spread) =>
    `${(median / 1000).toFixed(2)} s (${(min / 1000).toFixed(2)} to ${(max / 1000).toFixed(2)})`;
  const lines = (title: string, plain: string, { ms, plain_ms, ratio, peaks_mb }: LoadScenario) => [
    title,
    `  loading ${seconds(ms)}; ${plain} of the same bytes ${seconds(plain_ms)}`,
    `  ratio ${ratio.medians.toFixed(2)} (medians), ${ratio.pairwise.toFixed(2)} (pairs); peak memory ` +
      `${peaks_mb.before.toFixed(0)} MB before, ${peaks_mb.loaded.toFixed(0)} loaded, ${peaks_mb.used.toFixed(0)} used`,
  ];
  return [
    ...headingText(result),
    `block     ${result.file_mb.toFixed(1)} MB of float16; memory is to stay under ${result.memory_limit_mb.toFixed(0)} MB`,
    ...lines("disk", "plain reading", disk),
    `  until every number has been float32: ${seconds(float32_ms)}`,
    ...(peer
      ? [
          `  ${peer.description}: ${seconds(peer.ms)}, peak memory ${peer.peak_rss_mb.toFixed(0)} MB; its time / ours ${peer.ratio.toFixed(2)}`,
        ]
      : []),
    ...lines("HTTP, ranges of the hub's imitation in a process of its own", "one plain ranged request", http),
    `  sent ${http.sent_mb.toFixed(2)} MB in ${http.requests} answers, the cache written included in the time`,
    ...result.notes.map((note) => `!! ${note}`),
  ].join("\n");
}
