import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { imageFolder } from "../src/data/imageFolder";
import { batches } from "../src/data/loader";
import * as transforms from "../src/data/transforms";
import { alternate, type Side, timed } from "./core/alternate";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import { HEIGHT, WIDTH, writeImages } from "./core/jpegFiles";
import { memoryOfTree } from "./core/memory";
import type { BenchOptions } from "./core/options";
import { Peer, peerProblem } from "./core/peer";
import { presetOf } from "./core/presets";
import type { Report } from "./core/report";
import { median, type Spread, scaleSpread, spreadOf } from "./core/statistics";

const imagesFor = ({ preset }: BenchOptions) => (preset === "toy" ? 24 : 384);
const augmentations = { pretrain: transforms.mae, finetune: transforms.finetune };
type Pipeline = keyof typeof augmentations;

interface PipelineFigures {
  ms_per_image: Spread;
  images_per_s: number;
  images_per_s_per_core: number;
  /** Of the first image of every batch in the last pass; about the same on both sides. */
  mean_pixel: number;
  peer: { ms_per_image: Spread; images_per_s: number; mean_pixel: number; ratio: number } | null;
}

/** JPEG files to normalized batches. The figures at the top are those of pretraining. */
export interface LoaderResult extends Heading {
  ms_per_image: Spread;
  images_per_s: number;
  peak_rss_mb: number;
  images: number;
  size: number;
  mean_file_kb: number;
  peer_description: string | null;
  peer_peak_rss_mb: number | null;
  pretrain: PipelineFigures;
  finetune: PipelineFigures;
  notes: string[];
}

/** Runs are passes over a folder of images written for it, which the page cache holds; nothing decoded is kept. */
export async function loader(options: BenchOptions): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "luvit-bench-"));
  try {
    const bytes = await writeImages(folder, imagesFor(options));
    const json = await measure(options, folder, bytes / imagesFor(options) / 1e3);
    return { json: { ...noFigures, ...json }, text: loaderText(json) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(options: BenchOptions, folder: string, fileKilobytes: number): Promise<LoaderResult> {
  const images = imagesFor(options);
  const size = presetOf(options.preset).vit.imageSize;
  const batch = options.batch ?? 16;
  const notes: string[] = [];
  const peers = await startPeers(options, { folder, size, batch }, notes);
  const measured = async (pipeline: Pipeline) => {
    const ours = await passes(folder, pipeline, size, batch);
    const runs = await alternate([ours, ...peers.map((peer) => peerPass(peer, pipeline))], options);
    const [own, theirs] = runs.map((side) => ({
      spread: scaleSpread(spreadOf(side.map(({ ms }) => ms)), 1 / images),
      mean: side.at(-1)!.result,
    }));
    const ratio = theirs && median(runs[1].map(({ ms }, i) => ms / runs[0][i].ms));
    return {
      ms_per_image: own.spread,
      images_per_s: 1000 / own.spread.median,
      images_per_s_per_core: 1000 / own.spread.median / availableParallelism(),
      mean_pixel: own.mean,
      peer: theirs
        ? {
            ms_per_image: theirs.spread,
            images_per_s: 1000 / theirs.spread.median,
            mean_pixel: theirs.mean,
            ratio,
          }
        : null,
    };
  };
  const [pretrain, finetune] = [await measured("pretrain"), await measured("finetune")];
  const { ms_per_image, images_per_s } = pretrain;
  const [peer] = peers;
  const result = {
    ...headingOf(options, batch),
    ms_per_image,
    images_per_s,
    peak_rss_mb: memoryOfTree(
      process.pid,
      peers.map(({ pid }) => pid),
    ).peak,
    images,
    size,
    mean_file_kb: fileKilobytes,
    peer_description: peer ? `PIL in ${availableParallelism()} processes (${options.peer})` : null,
    peer_peak_rss_mb: peer ? peer.peakMegabytes() : null,
    pretrain,
    finetune,
    notes,
  };
  await peer?.close();
  return result;
}

/** A pass: every batch of one epoch, each with another draw of crops. */
async function passes(folder: string, pipeline: Pipeline, size: number, batchSize: number): Promise<Side> {
  const dataset = await imageFolder(folder, { transform: augmentations[pipeline](size), cache: false });
  let epoch = 0;
  return timed(async () => {
    let sum = 0;
    const options = {
      ...{ batchSize, epoch: epoch++, dropLast: false },
      ...{ workers: availableParallelism(), reuse: 1 },
    };
    for await (const { images } of batches(dataset, options)) sum += mean(images.subarray(0, 3 * size ** 2));
    return sum / Math.ceil(dataset.length / batchSize);
  });
}

function mean(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

const peerPass = (peer: Peer, pipeline: Pipeline): Side => ({ run: () => peer.ask(pipeline) });

async function startPeers(
  options: BenchOptions,
  job: Record<string, unknown>,
  notes: string[],
): Promise<Peer[]> {
  if (options.peer === undefined) return [];
  const problem = peerProblem(options.peer === "torch" ? ["torch", "PIL", "numpy"] : ["PIL", "numpy"]);
  if (problem === undefined)
    return [(await Peer.start("loader_peer.py", { ...job, through: options.peer }))[0]];
  notes.push(`NO PEER: ${problem}`);
  return [];
}

function loaderText(result: LoaderResult): string {
  const lines = (["pretrain", "finetune"] as const).flatMap((pipeline) => {
    const { ms_per_image, images_per_s, images_per_s_per_core, peer } = result[pipeline];
    const spread = ({ median: middle, min, max }: Spread) =>
      `${middle.toFixed(2)} ms/image (${min.toFixed(2)} to ${max.toFixed(2)})`;
    const own = `  ${pipeline}: ${spread(ms_per_image)}, ${images_per_s.toFixed(1)} images/s, ${images_per_s_per_core.toFixed(1)} per core`;
    if (!peer) return [own];
    const theirs = `    ${result.peer_description}: ${spread(peer.ms_per_image)}, ${peer.images_per_s.toFixed(1)} images/s`;
    return [own, `${theirs}; peer's time / ours ${peer.ratio.toFixed(2)}`];
  });
  const memory = result.peer_peak_rss_mb === null ? "" : `, peer's ${result.peer_peak_rss_mb.toFixed(0)} MB`;
  return [
    ...headingText(result),
    `images  ${result.images} JPEG files ${WIDTH} x ${HEIGHT}, ${result.mean_file_kb.toFixed(0)} kB each, to ${result.size} px`,
    ...lines,
    `  peak memory ${result.peak_rss_mb.toFixed(0)} MB${memory}`,
    ...result.notes.map((note) => `!! ${note}`),
  ].join("\n");
}
