import type { EngineOptions } from "../engine";

/** What options say of the engine, and nothing else. */
export function engineOf({ engine, threads, provider, precision, frozen }: EngineOptions): EngineOptions {
  return { engine, threads, provider, precision, frozen };
}
