import { alternate, type Run, type Side, timed } from "./alternate";
import { headingOf } from "./heading";
import { matmulFlops, openMatmul } from "./matmul";
import { memoryOfProcesses, memoryOfTree, processTree } from "./memory";
import type { BenchOptions } from "./options";
import type { Figures, StepResult } from "./result";
import { median, scaleSpread, spreadOf } from "./statistics";
import { against, disagreements, type StepPeer, startPeers } from "./stepPeers";
import type { Work } from "./work";

type Job = Readonly<Record<string, unknown>>;

/** A bench whose unit is one run over a batch. */
export interface StepBench {
  batch: number;
  open(options: BenchOptions, batch: number): Promise<Work>;
  /** What the peer must know beside preset and batch. */
  job: Job | ((options: BenchOptions) => Job);
}

/** Products timed for the machine's own rate; op by op one takes seconds. */
const MATMULS = { warmup: 2, steps: 7 };
const EAGER_MATMULS = { warmup: 0, steps: 2 };
/** Runs after which memory should no longer grow, and how many are looked at there and at the end. */
const [SETTLED, WINDOW] = [50, 50];

/** Ours and the peers' runs in turn, then the memory they took, then the matrix products they are held against. */
export async function runStepBench(options: BenchOptions, bench: StepBench): Promise<StepResult> {
  const batch = options.batch ?? bench.batch;
  const notes: string[] = [];
  const peers = await startPeers(options, { ...jobOf(bench, options), batch }, notes);
  const work = await bench.open(options, batch);
  const { runs, peaks, resident, moved } = await measure(work, peers, options);
  for (const peer of peers) peer.flops = (await peer.peer.ask<{ flops: number }>("count")).flops;
  await work.dispose();
  const matmuls = await measureMatmuls(options, peers);
  for (const { peer } of peers) await peer.close();
  const flops = [work.flops, ...peers.map((peer) => peer.flops)];
  const [ours, ...theirs] = runs.map((own, i) => ({
    figures: figuresOf(own, batch, flops[i], peaks[i], matmuls[i]),
    runs: own,
  }));
  const ranked = peers
    .map((peer, i) => against(ours, theirs[i], peer, batch))
    .sort((a, b) => a.ms_per_image.median - b.ms_per_image.median);
  return {
    ...headingOf(options, batch, work.engine),
    shapes: work.shapes,
    parameters: work.parameters.total,
    trained_parameters: work.parameters.trainable,
    gflop_per_image: work.flops / batch / 1e9,
    ...ours.figures,
    matmul_share_percent: (100 * ours.figures.gflops) / ours.figures.matmul_gflops,
    first_result: ours.runs[0].result,
    last_result: ours.runs.at(-1)!.result,
    rss_growth_mb: growth(resident),
    moved_mb_per_step: moved,
    peers: ranked,
    ratio: ranked[0]?.ratio ?? null,
    notes: [...notes, ...peers.flatMap((peer) => disagreements(work, peer))],
  };
}

const jobOf = ({ job }: StepBench, options: BenchOptions) => (typeof job === "function" ? job(options) : job);

async function measure(work: Work, peers: readonly StepPeer[], options: BenchOptions) {
  const pids = peers.map(({ peer }) => peer.pid);
  const sides: Side[] = [timed(() => work.run()), ...peers.map(({ peer }) => peer)];
  const own = processTree(process.pid, pids);
  const resident: number[] = [];
  const after = () => resident.push(memoryOfProcesses(own).now);
  const before = work.traffic();
  const runs = await alternate(sides, { ...options, after });
  const now = work.traffic();
  const perStep = (bytes: number) => bytes / (options.warmup + options.steps) / 1e6;
  const moved = {
    process: perStep(now.process - before.process),
    device: perStep(now.device - before.device),
  };
  const peaks = [memoryOfTree(process.pid, pids).peak, ...peers.map(({ peer }) => peer.peakMegabytes())];
  return { runs, peaks, resident, moved };
}

async function measureMatmuls(options: BenchOptions, peers: readonly StepPeer[]): Promise<number[]> {
  const matmul = await openMatmul(options);
  const theirs = peers.map(({ peer }): Side => ({ run: () => peer.ask<Run>("matmul") }));
  const plan = options.engine === "eager" ? EAGER_MATMULS : MATMULS;
  const runs = await alternate([timed(() => matmul.run()), ...theirs], plan);
  await matmul.dispose();
  return runs.map((own) => matmulFlops(options) / (median(own.map(({ ms }) => ms)) * 1e6));
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

function growth(resident: readonly number[]): number | null {
  if (resident.length < SETTLED + 2 * WINDOW) return null;
  return median(resident.slice(-WINDOW)) - median(resident.slice(SETTLED, SETTLED + WINDOW));
}
