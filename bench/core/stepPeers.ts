import type { Run } from "./alternate";
import { matmulShape } from "./matmul";
import type { BenchOptions } from "./options";
import { Peer, peerProblem } from "./peer";
import { presetOf } from "./presets";
import type { Figures, PeerFigures } from "./result";
import { median } from "./statistics";
import type { Work } from "./work";

/** A PyTorch process that does the same work. */
export interface StepPeer {
  peer: Peer;
  /** Parameters are all of its model's, and those that it trains. */
  hello: { description: string; total: number; trainable: number };
  /** Operations of matrix products in one run, as PyTorch counts them. */
  flops: number;
}

/** One peer for each precision asked for; none, with a note that says why, where they cannot run. */
export async function startPeers(
  options: BenchOptions,
  job: Readonly<Record<string, unknown>>,
  notes: string[],
): Promise<StepPeer[]> {
  if (options.peer === undefined) return [];
  const problem = options.peer === "torch" ? peerProblem(["torch"]) : `${options.name} has no such peer`;
  if (problem !== undefined) {
    notes.push(`NO PEER: ${problem}`);
    return [];
  }
  const { name, preset, peerDevice: device } = options;
  const common = { ...job, name, preset: presetOf(preset), matmul: matmulShape(options), device };
  const started: StepPeer[] = [];
  for (const precision of options.peerPrecision) {
    const [peer, hello] = await Peer.start<StepPeer["hello"]>("torch_peer.py", { ...common, precision });
    started.push({ peer, hello, flops: 0 });
  }
  return started;
}

/** A peer's figures beside ours. */
export function against(
  ours: { figures: Figures; runs: readonly Run[] },
  theirs: { figures: Figures; runs: readonly Run[] },
  { hello, flops }: StepPeer,
  batch: number,
): PeerFigures {
  return {
    ...theirs.figures,
    description: hello.description,
    gflop_per_image: flops / batch / 1e9,
    first_result: theirs.runs[0].result,
    ratio: {
      medians: theirs.figures.ms_per_image.median / ours.figures.ms_per_image.median,
      pairwise: median(theirs.runs.map(({ ms }, i) => ms / ours.runs[i].ms)),
    },
    memory_ratio: ours.figures.peak_rss_mb / theirs.figures.peak_rss_mb,
  };
}

/** Ways in which a peer does not do the same work. */
export function disagreements({ parameters, flops }: Work, peer: StepPeer): string[] {
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
