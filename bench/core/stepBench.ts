import { alternate, type Run, type Side, timed } from "./alternate";
import { describeMachine } from "./machine";
import { MATMUL, MATMUL_FLOPS, openMatmul } from "./matmul";
import { memoryOfTree } from "./memory";
import type { BenchOptions } from "./options";
import { Peer, peerProblem } from "./peer";
import { presetOf } from "./presets";
import type { Figures, PeerFigures, StepResult } from "./result";
import { median, scaleSpread, spreadOf } from "./statistics";
import type { Work } from "./work";

/** A bench whose unit is one run over a batch. */
export interface StepBench {
  batch: number;
  open(options: BenchOptions, batch: number): Promise<Work>;
  /** What the peer must know beside preset and batch. */
  job: Readonly<Record<string, unknown>>;
}

interface StartedPeer {
  peer: Peer;
  hello: { description: string; total: number; trainable: number };
  flops: number;
}

/** Products timed for the machine's own rate, after two that are not. */
const MATMULS = 7;
/** Runs after which memory should no longer grow, and how many are looked at there and at the end. */
const [SETTLED, WINDOW] = [50, 50];

/** Ours and the peers' runs in turn, then the memory they took, then the matrix products they are held against. */
export async function runStepBench(options: BenchOptions, bench: StepBench): Promise<StepResult> {
  const batch = options.batch ?? bench.batch;
  const notes: string[] = [];
  const peers = await startPeers(options, { ...bench.job, batch }, notes);
  const work = await bench.open(options, batch);
  const pids = peers.map(({ peer }) => peer.pid);
  const sides: Side[] = [timed(() => work.run()), ...peers.map(({ peer }) => peer)];
  const resident: number[] = [];
  const after = () => resident.push(memoryOfTree(process.pid, pids).now);
  const runs = await alternate(sides, { ...options, after });
  const peaks = [memoryOfTree(process.pid, pids).peak, ...peers.map(({ peer }) => peer.peakMegabytes())];
  for (const started of peers) started.flops = (await started.peer.ask<{ flops: number }>("count")).flops;
  await work.dispose();
  const matmuls = await measureMatmuls(options, peers);
  for (const { peer } of peers) await peer.close();
  const flops = [work.flops, ...peers.map((peer) => peer.flops)];
  const figures = runs.map((own, i) => figuresOf(own, batch, flops[i], peaks[i], matmuls[i]));
  notes.push(...peers.flatMap((peer) => disagreements(work, peer)));
  const peerFigures = peers.map((peer, i) =>
    against(figures[0], runs[0], figures[i + 1], runs[i + 1], peer, batch),
  );
  peerFigures.sort((a, b) => a.ms_per_image.median - b.ms_per_image.median);
  return {
    name: options.name,
    engine: options.engine,
    engine_description: work.engine,
    precision: options.precision,
    frozen: options.frozen ?? null,
    preset: options.preset,
    batch,
    steps: options.steps,
    warmup: options.warmup,
    machine: describeMachine(),
    shapes: work.shapes,
    parameters: work.parameters.total,
    trained_parameters: work.parameters.trainable,
    gflop_per_image: work.flops / batch / 1e9,
    ...figures[0],
    matmul_share_percent: (100 * figures[0].gflops) / figures[0].matmul_gflops,
    first_result: runs[0][0].result,
    last_result: runs[0].at(-1)!.result,
    rss_growth_mb: growth(resident),
    peers: peerFigures,
    ratio: peerFigures[0]?.ratio ?? null,
    notes,
  };
}

async function startPeers(
  options: BenchOptions,
  job: Readonly<Record<string, unknown>>,
  notes: string[],
): Promise<StartedPeer[]> {
  if (options.peer === undefined) return [];
  const problem = options.peer === "torch" ? peerProblem(["torch"]) : `${options.name} has no such peer`;
  if (problem !== undefined) {
    notes.push(`NO PEER: ${problem}`);
    return [];
  }
  const preset = presetOf(options.preset);
  const common = {
    ...job,
    name: options.name,
    preset,
    matmul: MATMUL,
    device: options.peerDevice,
  };
  const started: StartedPeer[] = [];
  for (const precision of options.peerPrecision) {
    const [peer, hello] = await Peer.start<StartedPeer["hello"]>("torch_peer.py", { ...common, precision });
    started.push({ peer, hello, flops: 0 });
  }
  return started;
}

async function measureMatmuls(options: BenchOptions, peers: readonly StartedPeer[]): Promise<number[]> {
  const matmul = await openMatmul(options);
  const theirs = peers.map(({ peer }): Side => ({ run: () => peer.ask<Run>("matmul") }));
  const runs = await alternate([timed(() => matmul.run()), ...theirs], { warmup: 2, steps: MATMULS });
  await matmul.dispose();
  return runs.map((own) => MATMUL_FLOPS / (median(own.map(({ ms }) => ms)) * 1e6));
}

function figuresOf(
  runs: readonly Run[],
  batch: number,
  flops: number,
  peak: number,
  matmulGflops: number,
): Figures {
  const step = spreadOf(runs.map(({ ms }) => ms));
  return {
    ms_per_image: scaleSpread(step, 1 / batch),
    images_per_s: (1000 * batch) / step.median,
    peak_rss_mb: peak,
    gflops: flops / (step.median * 1e6),
    matmul_gflops: matmulGflops,
  };
}

function against(
  ours: Figures,
  ourRuns: readonly Run[],
  theirs: Figures,
  theirRuns: readonly Run[],
  { hello, flops }: StartedPeer,
  batch: number,
): PeerFigures {
  return {
    ...theirs,
    description: hello.description,
    gflop_per_image: flops / batch / 1e9,
    first_result: theirRuns[0].result,
    ratio: {
      medians: theirs.ms_per_image.median / ours.ms_per_image.median,
      pairwise: median(theirRuns.map(({ ms }, i) => ms / ourRuns[i].ms)),
    },
    memory_ratio: ours.peak_rss_mb / theirs.peak_rss_mb,
  };
}

/** Ways in which the peer does not do the same work. */
function disagreements({ parameters, flops }: Work, peer: StartedPeer): string[] {
  const { description, total, trainable } = peer.hello;
  const found: string[] = [];
  if (total !== parameters.total || trainable !== parameters.trainable) {
    const [theirs, ours] = [
      `${total} (${trainable} trained)`,
      `${parameters.total} (${parameters.trainable})`,
    ];
    found.push(`DIFFERENT MODEL: ${description} has ${theirs} parameters, ours ${ours}`);
  }
  if (Math.abs(peer.flops / flops - 1) > 0.02) {
    const times = (peer.flops / flops).toFixed(3);
    found.push(`DIFFERENT WORK: ${description} counts ${times} times the operations of our graph`);
  }
  return found;
}

function growth(resident: readonly number[]): number | null {
  if (resident.length < SETTLED + 2 * WINDOW) return null;
  return median(resident.slice(-WINDOW)) - median(resident.slice(SETTLED, SETTLED + WINDOW));
}
