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
  if (milliseconds < 1) return `${Math.round(1000 * milliseconds)} µs`;
  if (milliseconds < 1000) return `${milliseconds.toPrecision(3)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toPrecision(3)} s`;
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}
