import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

/** Memory of a process, in bytes. */
export interface ProcessMemory {
  resident: number;
  /** The most it ever was. */
  peak: number;
}

/** Of a running process; undefined where the system does not tell (no /proc) or the process is gone. */
export function memoryOf(pid: number): ProcessMemory | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const bytes = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(status)![1]);
    return { resident: bytes("VmRSS"), peak: bytes("VmHWM") };
  } catch {
    return undefined;
  }
}

/** What a process here can have at most, in bytes: the control group's limit, or all there is. */
export function memoryLimit(): number {
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
}

/** How many processes the kernel's out-of-memory killer has ended; undefined where that cannot be read. */
export interface OomKills {
  /** In the control group of this process and below it. */
  group?: number;
  machine?: number;
}

export function oomKills(): OomKills {
  const counts = groupFiles(readText("/proc/self/cgroup") ?? "").map((file) => oomKillsIn(file));
  return { group: counts.find((count) => count !== undefined), machine: oomKillsIn("/proc/vmstat") };
}

/**
 * Where version 2 and version 1 of control groups count, in the group's own folder or at the container's root; from the
 * text of /proc/self/cgroup.
 */
export function groupFiles(text: string): string[] {
  const root = "/sys/fs/cgroup";
  const groups = text.split("\n").map((line) => line.split(":"));
  const unified = groups.find(([id, controllers]) => id === "0" && controllers === "")?.[2];
  const memory = groups.find(([, controllers]) => controllers?.split(",").includes("memory"))?.[2];
  return [
    ...(memory === undefined ? [] : [`${root}/memory${memory}/memory.oom_control`]),
    ...(unified === undefined ? [] : [`${root}${unified}/memory.events`]),
    `${root}/memory/memory.oom_control`,
    `${root}/memory.events`,
  ];
}

function oomKillsIn(file: string): number | undefined {
  const count = /^oom_kill (\d+)$/m.exec(readText(file) ?? "")?.[1];
  return count === undefined ? undefined : Number(count);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
