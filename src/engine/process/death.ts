import type { OomKills, ProcessMemory } from "./memory";

/** What is known of a process that ended unasked. */
export interface Death {
  /** "onnxruntime engine process 4711". */
  what: string;
  exitCode: number | null;
  signal: string | null;
  /** What went wrong between the two processes, or in starting the second one. */
  fault?: string;
  oomBefore: OomKills;
  oomAfter: OomKills;
  /** The last reading. */
  memory?: ProcessMemory;
  /** What the process could have had at most, in bytes, where that is known. */
  memoryLimit?: number;
  /** What it was asked to do and had not finished. */
  unfinished: readonly string[];
  /** The end of what it wrote to stdout and stderr. */
  output: string;
}

/** The reason in one sentence, what is known beside it, and what it wrote last. */
export function describeDeath(death: Death): string {
  const { what, memory, unfinished, output } = death;
  const facts = [
    unfinished.length > 0 ? `It was to ${listed(unfinished)}.` : "It had nothing to do.",
    memory ? `Its memory was last ${gigabytes(memory.resident)}, at most ${gigabytes(memory.peak)}.` : "",
    "What its executors held is lost; executors opened from now on get a new process.",
  ];
  const wrote = output
    .trim()
    .split("\n")
    .filter((line) => !NATIVE_FRAME.test(line));
  return [
    `${what} died: ${reason(death)}. ${facts.filter(Boolean).join(" ")}`,
    ...(output.trim() ? [`Last lines it wrote:\n${wrote.slice(-SHOWN_LINES).join("\n")}`] : []),
  ].join("\n");
}

const SHOWN_LINES = 12;
/** " 3: 0x10e91f1 v8::internal::…": what Node writes after the reason for an abort. */
const NATIVE_FRAME = /^\s*\d+: 0x[0-9a-f]+ /;
const SHOWN_REQUESTS = 3;
const ABORTS = ["SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP"];
const OUT_OF_MEMORY = /out of memory|bad_alloc|cannot allocate memory|allocation failed|failed to allocate/i;

function reason(death: Death): string {
  const { exitCode, signal, fault, output } = death;
  if (fault !== undefined) return fault;
  const memory = OUT_OF_MEMORY.test(output) ? ", out of memory by what it wrote last" : "";
  if (signal === "SIGKILL") return `killed by SIGKILL, ${whoKilled(death)}`;
  if (signal !== null) return `${ABORTS.includes(signal) ? "crashed with" : "ended by"} ${signal}${memory}`;
  return `exited with code ${exitCode}${memory}`;
}

/** Of what it could have, how much a process that is killed for want of memory has at least. */
const NEARLY_ALL = 0.9;

/** Memory is blamed where the kernel has counted a kill, or, where it does not tell, the process had nearly all there was. */
function whoKilled({ oomBefore, oomAfter, memory, memoryLimit: limit }: Death): string {
  const rose = (where: keyof OomKills) => (oomAfter[where] ?? 0) > (oomBefore[where] ?? 0);
  if (rose("group"))
    return "by the kernel's out-of-memory killer: it reached the memory limit of its control group or the machine's";
  const hadNearlyAll = memory && limit !== undefined && memory.resident > NEARLY_ALL * limit;
  if (rose("machine") && (oomAfter.group === undefined || hadNearlyAll))
    return "most likely by the kernel's out-of-memory killer, which ended a process on this machine meanwhile";
  if (oomAfter.group !== undefined || oomAfter.machine !== undefined)
    return "from outside: by the kernel's counts not for want of memory";
  if (hadNearlyAll)
    return `most likely by the out-of-memory killer: it had ${gigabytes(memory.resident)} of ${gigabytes(limit)}`;
  return "from outside; whether for want of memory this system does not tell";
}

/** Whether what is said of a death blames memory. */
export const blamesMemory = (message: string): boolean => /out[- ]of[- ]memory/.test(message);

function listed(items: readonly string[]): string {
  const shown = items.slice(0, SHOWN_REQUESTS).join(", then ");
  return items.length > SHOWN_REQUESTS ? `${shown} and ${items.length - SHOWN_REQUESTS} more` : shown;
}

const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
