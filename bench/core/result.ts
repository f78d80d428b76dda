import type { Heading } from "./heading";
import type { Spread } from "./statistics";

/** What one side needed for the work. */
export interface Figures {
  ms_per_image: Spread;
  images_per_s: number;
  /** Sum of the peaks of its processes, 1e6 bytes. */
  peak_rss_mb: number;
  /** Matrix products' operations per second of the whole run, 1e9. */
  gflops: number;
  /** The same of one large product alone. */
  matmul_gflops: number;
}

export interface PeerFigures extends Figures {
  description: string;
  /** Operations counted by PyTorch itself, per image, 1e9. */
  gflop_per_image: number;
  first_result: number;
  /** Peer's time / ours: of the medians, and the median over pairs of neighboring runs. Above 1 we are faster. */
  ratio: { medians: number; pairwise: number };
  /** Our peak / the peer's. */
  memory_ratio: number;
}

/** The result of a bench on steps of a model, as `--json` writes it. */
export interface StepResult extends Heading, Figures {
  shapes: Readonly<Record<string, readonly number[]>>;
  parameters: number;
  trained_parameters: number;
  gflop_per_image: number;
  /** gflops / matmul_gflops, percent. */
  matmul_share_percent: number;
  /** First and last number of the runs that count: loss, or mean entropy in nats. */
  first_result: number;
  last_result: number;
  /** Resident memory at the end less that after 50 runs, 1e6 bytes; null for fewer than 150 runs. */
  rss_growth_mb: number | null;
  /**
   * Arrays that a run moves between our process and the engine's, and between host memory and the device's (0 where the
   * processor computes), both ways; 1e6 bytes.
   */
  moved_mb_per_step: { process: number; device: number };
  /** The fastest first; empty without a peer. */
  peers: PeerFigures[];
  /** Of the fastest peer; null without one. */
  ratio: PeerFigures["ratio"] | null;
  /** What was asked for and could not be, and what does not agree. */
  notes: string[];
}
