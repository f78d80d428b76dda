/** A moment to measure from: of the clock, and of this process's work. */
export interface Moment {
  at: number;
  cpu: NodeJS.CpuUsage;
}

export function now(): Moment {
  return { at: performance.now(), cpu: process.cpuUsage() };
}

/** The time since a moment, as a line; work of other processes, such as the engine's, is not in it. */
export function since({ at, cpu }: Moment): string {
  const wall = performance.now() - at;
  const { user, system } = process.cpuUsage(cpu);
  const [all, ...parts] = [user + system, user, system].map((microseconds) => duration(microseconds / 1000));
  return `wall ${duration(wall)}, CPU of this process ${all} (user ${parts[0]}, system ${parts[1]})`;
}

function duration(milliseconds: number): string {
  const microseconds = Math.round(1000 * milliseconds);
  if (microseconds < 1000) return `${microseconds} µs`;
  const rounded = Number(milliseconds.toPrecision(3)); // 999.6 ms is a second
  if (rounded < 1000) return `${rounded.toPrecision(3)} ms`;
  if (rounded < 60_000) return `${(rounded / 1000).toPrecision(3)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
