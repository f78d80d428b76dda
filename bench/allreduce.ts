import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { sizeOf } from "../src/core/hostTensor";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import type { BenchOptions } from "./core/options";
import type { Report } from "./core/report";
import { median, type Spread, spreadOf } from "./core/statistics";
import { TcpPeers } from "./core/tcpPeers";
import { WorkerJob } from "./core/workerJob";
import { pretraining } from "./pretrainStep";

/** A sum over two workers beside the same bytes by raw TCP, in turn. */
interface Rate {
  /** "shared memory", "tcp". */
  transport: string;
  sum_ms: Spread;
  tcp_ms: Spread;
  /** Raw TCP's time over the sum's: median of the quotients of neighboring runs. */
  ratio: number;
}

export interface AllreduceResult extends Heading {
  mpi: string;
  /** That each worker sends, and receives. */
  bytes: number;
  rates: Rate[];
}

const transports: Readonly<Record<string, readonly string[]>> = {
  "shared memory": [],
  tcp: ["--mca", "btl", "self,tcp", "--mca", "pml", "ob1"],
};

/** Gradients of a preset's size, summed over two workers of this machine, against raw TCP over the loopback. */
export async function allreduce(options: BenchOptions): Promise<Report> {
  const { model, rules } = pretraining(options.preset, 1).task;
  const trained = [...model.namedParameters()].filter(([path]) => rules.has(path));
  const sizes = trained.map(([, { shape }]) => sizeOf(shape));
  // A ring of two sends each half once to be summed and once to be known.
  const bytes = 4 * sizes.reduce((sum, size) => sum + size, 0);
  const tcp = await TcpPeers.start(bytes);
  const rates: Rate[] = [];
  let mpi = "";
  try {
    for (const [transport, launcher] of Object.entries(isOpenMpi() ? transports : { default: [] })) {
      const job = await WorkerJob.start(
        join(__dirname, "core", "sumWorker.js"),
        2,
        [sizes.join(",")],
        launcher,
      );
      const pairs: { sum: number; tcp: number }[] = [];
      for (let step = -options.warmup; step < options.steps; step++) {
        const answers = await job.ask("sum");
        mpi = String(answers[0].mpi);
        const pair = { sum: Math.max(...answers.map(({ ms }) => Number(ms))), tcp: await tcp.exchange() };
        if (step >= 0) pairs.push(pair);
      }
      await job.end();
      rates.push({
        transport,
        sum_ms: spreadOf(pairs.map(({ sum }) => sum)),
        tcp_ms: spreadOf(pairs.map((pair) => pair.tcp)),
        ratio: median(pairs.map((pair) => pair.tcp / pair.sum)),
      });
    }
  } finally {
    await tcp.end();
  }
  const json: AllreduceResult = { ...headingOf(options, null), mpi, bytes, rates };
  return { json: { ...json, ...noFigures }, text: allreduceText(json) };
}

const isOpenMpi = () =>
  /open mpi|openrte/i.test(String(spawnSync(process.env.MPIEXEC || "mpirun", ["--version"]).stdout));

function allreduceText(json: AllreduceResult): string {
  const ms = ({ median: middle, min, max }: Spread) =>
    `${middle.toFixed(0)} ms (${min.toFixed(0)} to ${max.toFixed(0)})`;
  const rates = json.rates.map(
    ({ transport, sum_ms, tcp_ms, ratio }) =>
      `${transport.padEnd(14)}sum ${ms(sum_ms)}, raw TCP ${ms(tcp_ms)}, rate ${ratio.toFixed(2)} of it`,
  );
  const what = `2 workers, ${json.mpi}, ${(json.bytes / 1e6).toFixed(0)} MB sent and received by each`;
  return [...headingText(json), what, ...rates].join("\n");
}
