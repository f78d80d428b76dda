/** A request of the Debug Adapter Protocol as it comes: nothing about it is certain. */
export interface DebugRequest {
  seq?: unknown;
  command?: unknown;
  arguments?: unknown;
}

/** What a request asks for, by name. */
export type Arguments = Readonly<Record<string, unknown>>;

export interface DebugResponse {
  type: "response";
  seq: number;
  request_seq: number;
  command: string;
  success: boolean;
  message?: string;
  body?: object;
}

export interface DebugEvent {
  type: "event";
  seq: number;
  event: string;
  body?: object;
}

/** A request that is answered with `success: false` and this message. */
export class Refusal extends Error {}

/** A text among the arguments. */
export function textOf(args: Arguments, name: string): string {
  const value = args[name];
  if (typeof value !== "string") throw new Refusal(`${name}: expected a text, came ${show(value)}`);
  return value;
}

/** A whole number among the arguments; `otherwise` where it is missing. */
export function numberOf(args: Arguments, name: string, otherwise?: number): number {
  const value = args[name] ?? otherwise;
  if (!Number.isSafeInteger(value))
    throw new Refusal(`${name}: expected a whole number, came ${show(value)}`);
  return value as number;
}

/** A list among the arguments; empty where it is missing. */
export function listOf(args: Arguments, name: string): unknown[] {
  const value = args[name] ?? [];
  if (!Array.isArray(value)) throw new Refusal(`${name}: expected a list, came ${show(value)}`);
  return value;
}

/** What is itself arguments: an object; empty where it is missing. */
export function objectOf(value: unknown, name: string): Arguments {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value))
    throw new Refusal(`${name}: expected an object, came ${show(value)}`);
  return value as Arguments;
}

function show(value: unknown): string {
  return value === undefined ? "nothing" : (JSON.stringify(value)?.slice(0, 80) ?? typeof value);
}
