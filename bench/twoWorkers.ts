import { availableParallelism } from "node:os";
import { join } from "node:path";
import { alternate, type Side } from "./core/alternate";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import type { BenchOptions } from "./core/options";
import type { Report } from "./core/report";
import { median, type Spread, spreadOf } from "./core/statistics";
import { WorkerJob } from "./core/workerJob";

export interface TwoWorkersResult extends Heading {
  mpi: string;
  /** Batches of a step, each of `batch` images. */
  accumulate: number;
  /** One worker of two threads, two workers of one thread each, in turn. */
  one_ms: Spread;
  two_ms: Spread;
  /** Greatest difference between the two sides' losses of a step. */
  loss_difference: number;
  /** One worker's time over two workers': median of the quotients of neighboring steps. */
  ratio: number;
}

/** Batches of a step. */
const ACCUMULATE = 2;

/** The same pretraining steps by two workers of one thread each and by one worker of two threads, in turn. */
export async function twoWorkers(options: BenchOptions): Promise<Report> {
  const { preset, batch = 2 } = options;
  const script = join(__dirname, "core", "stepWorker.js");
  const words = [preset, `${batch}`, `${ACCUMULATE}`];
  const binding = availableParallelism() < 2 ? ["--bind-to", "none"] : [];
  const one = await WorkerJob.start(script, 1, [...words, "2"]);
  const two = await WorkerJob.start(script, 2, [...words, "1"], binding);
  let [mpi, engine] = ["", ""];
  const side = (job: WorkerJob): Side => ({
    async run() {
      const answers = await job.ask("step");
      mpi ||= String(answers[0].mpi);
      engine ||= String(answers[0].engine);
      return { ms: Math.max(...answers.map(({ ms }) => Number(ms))), result: Number(answers[0].loss) };
    },
  });
  try {
    const [ofOne, ofTwo] = await alternate([side(one), side(two)], options);
    const json: TwoWorkersResult = {
      ...headingOf(options, batch, engine),
      ...{ mpi, accumulate: ACCUMULATE },
      one_ms: spreadOf(ofOne.map(({ ms }) => ms)),
      two_ms: spreadOf(ofTwo.map(({ ms }) => ms)),
      loss_difference: Math.max(...ofOne.map(({ result }, i) => Math.abs(result - ofTwo[i].result))),
      ratio: median(ofOne.map(({ ms }, i) => ms / ofTwo[i].ms)),
    };
    return { json: { ...json, ...noFigures }, text: twoWorkersText(json) };
  } finally {
    await Promise.all([one.end(), two.end()]);
  }
}

function twoWorkersText(json: TwoWorkersResult): string {
  const ms = ({ median: middle, min, max }: Spread) =>
    `${middle.toFixed(0)} ms (${min.toFixed(0)} to ${max.toFixed(0)})`;
  return [
    ...headingText(json),
    `steps of ${json.accumulate} batches · ${json.mpi} · losses differ by ${json.loss_difference.toExponential(1)}`,
    `1 worker, 2 threads    ${ms(json.one_ms)}`,
    `2 workers, 1 thread    ${ms(json.two_ms)}`,
    `two workers do ${json.ratio.toFixed(2)} of what one does`,
  ].join("\n");
}
