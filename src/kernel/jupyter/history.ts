type Entry = { line: number; input: string; output: string | null };

/** Characters of a cell's value that are kept: frontends ask for what was typed, and values may be of many megabytes. */
const mostOutput = 10_000;

/** The cells of this session as `history_request` asks for them. */
export class History {
  private readonly entries: Entry[] = [];

  add(line: number, input: string, output: string | null): void {
    const kept = output === null || output.length <= mostOutput ? output : `${output.slice(0, mostOutput)}…`;
    this.entries.push({ line, input, output: kept });
  }

  /** Entries as `[session, line, input]`, or with `[input, output]` where outputs are asked for. */
  answer(request: Record<string, unknown>): unknown[] {
    const found = this.select(request);
    return found.map(({ line, input, output }) => [1, line, request.output ? [input, output] : input]);
  }

  private select({
    hist_access_type,
    session,
    start,
    stop,
    n,
    pattern,
    unique,
  }: Record<string, unknown>): Entry[] {
    const last = (entries: Entry[]) =>
      typeof n === "number" ? entries.slice(-n || entries.length) : entries;
    if (hist_access_type === "tail") return last(this.entries);
    if (hist_access_type === "range") {
      if (session !== 0 && session !== 1) return [];
      const from = Number(start ?? 1);
      const to = typeof stop === "number" ? stop : Number.POSITIVE_INFINITY;
      return this.entries.filter(({ line }) => line >= from && line < to);
    }
    const wanted = String(pattern ?? "*");
    const matches = this.entries.filter(({ input }) => matchesGlob(input, wanted));
    return last(unique ? latestOfEach(matches) : matches);
  }
}

function latestOfEach(entries: readonly Entry[]): Entry[] {
  const latest = new Map(entries.map((entry) => [entry.input, entry]));
  return entries.filter((entry) => latest.get(entry.input) === entry);
}

/**
 * Whether a text is what a pattern with `*` and `?` stands for. Only the last `*` is ever tried again, so that the time
 * is at most the product of both lengths, whatever the pattern.
 */
export function matchesGlob(text: string, pattern: string): boolean {
  let [at, place, star, tried] = [0, 0, -1, 0];
  while (at < text.length) {
    const wanted = pattern[place];
    if (wanted === "*") {
      star = place++;
      tried = at;
    } else if (wanted === "?" || wanted === text[at]) {
      at++;
      place++;
    } else if (star >= 0) {
      place = star + 1;
      at = ++tried;
    } else return false;
  }
  while (pattern[place] === "*") place++;
  return place === pattern.length;
}
