import { headingText } from "./heading";
import type { Figures, PeerFigures, StepResult } from "./result";

/** A result for people. */
export function stepText(result: StepResult): string {
  const { peers, notes } = result;
  const shapes = Object.entries(result.shapes).map(([name, shape]) => `${name} [${shape.join(", ")}]`);
  const millions = (count: number) => `${(count / 1e6).toFixed(2)} M`;
  return [
    ...headingText(result),
    `shapes    ${shapes.join(", ")}`,
    `model     ${millions(result.parameters)} parameters, ${millions(result.trained_parameters)} trained, ` +
      `matrix products ${result.gflop_per_image.toFixed(1)} GFLOP/image`,
    ...sideText(
      result.engine_description,
      result,
      `${number(result.first_result)} -> ${number(result.last_result)}`,
    ),
    movedText(result),
    ...growthText(result),
    ...peers.flatMap(peerText),
    ...notes.map((note) => `!! ${note}`),
  ].join("\n");
}

function sideText(title: string, figures: Figures, outcome: string): string[] {
  const { ms_per_image: time, images_per_s, peak_rss_mb, gflops, matmul_gflops } = figures;
  const share = ((100 * gflops) / matmul_gflops).toFixed(0);
  return [
    title,
    `  ${time.median.toFixed(1)} ms/image (${time.min.toFixed(1)} to ${time.max.toFixed(1)}), ${number(images_per_s)} images/s`,
    `  ${gflops.toFixed(1)} GFLOP/s, ${share} % of the ${matmul_gflops.toFixed(1)} GFLOP/s of one matrix product`,
    `  peak memory ${peak_rss_mb.toFixed(0)} MB, result ${outcome}`,
  ];
}

function peerText(peer: PeerFigures): string[] {
  const { ratio, memory_ratio } = peer;
  return [
    ...sideText(peer.description, peer, number(peer.first_result)),
    `  peer's time / ours: ${ratio.medians.toFixed(3)} (medians), ${ratio.pairwise.toFixed(3)} (pairs); ` +
      `our memory / its ${memory_ratio.toFixed(2)}`,
  ];
}

function movedText({ moved_mb_per_step: { process, device } }: StepResult): string {
  const between = `${process.toFixed(3)} MB per run between the processes`;
  return `  moved     ${between}, ${device.toFixed(3)} MB between host and device`;
}

function growthText({ rss_growth_mb: growth }: StepResult): string[] {
  return growth === null ? [] : [`  memory after run 50 grew by ${growth.toFixed(1)} MB`];
}

function number(value: number): string {
  return value.toPrecision(4);
}
