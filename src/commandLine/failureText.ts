import { LuvitError } from "../core/errors";

/** What a failure says to somebody at a terminal: no stack, unless LUVIT_DEBUG asks for it. */
export function failureText(error: unknown): string {
  if (error instanceof LuvitError) return withStack(error.message, error);
  const { code, syscall, path, message } = (error ?? {}) as NodeJS.ErrnoException;
  // Of the system: a full disk, a folder that may not be written to, a name that is too long.
  if (code !== undefined && syscall !== undefined)
    return withStack(path ? `${path}: ${message}` : message, error);
  const place = /\n\s+at .*?([^/\\()]+:\d+):\d+\)?/.exec((error as Error)?.stack ?? "")?.[1];
  const kind = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const where = place === undefined ? "" : ` (${place})`;
  return withStack(
    `${kind}${where}. This is a fault of luvit's; LUVIT_DEBUG=1 shows where it comes from`,
    error,
  );
}

function withStack(text: string, error: unknown): string {
  return process.env.LUVIT_DEBUG ? `${text}\n${(error as Error)?.stack}` : text;
}
