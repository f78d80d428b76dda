import { fileURLToPath } from "node:url";
import type { Loaded, Place } from "../executor/debuggee";
import type { CellFiles } from "./cellFiles";
import type { Target } from "./target";

/** A place in a script as the inspector has it: counted from 0. */
export interface Location {
  scriptId: string;
  lineNumber: number;
  columnNumber?: number;
}

/** A cell or a local file that has been run. */
export interface UserScript {
  id: string;
  name: string;
  /** The file, or the one that stands for the cell. */
  path: string;
  /** What a stack calls its source. */
  title: string;
  isFile: boolean;
  text: string;
  /** The number of its first line: -1 where the kernel has put one before those of the compiler. */
  start: number;
}

/** A place where code can stop, and what it is in the text. */
interface Stop {
  location: Location;
  place: Place;
}

/** What the kernel puts in front of loops and functions; nobody wants to stop there. */
const check = /^\s*typeof __luvit_stop === "object"/;

/** The scripts of the thread of the cells; those of the user are known with what they were compiled from. */
export class Scripts {
  private readonly names = new Map<string, string>();
  private readonly starts = new Map<string, number>();
  private readonly latest = new Map<string, string>();
  private readonly own = new Map<string, UserScript>();
  private readonly lines = new Map<string, Promise<string[]>>();

  constructor(
    private readonly target: Target,
    private readonly files: CellFiles,
  ) {
    target.inspector.on("Debugger.scriptParsed", ({ scriptId, url, startLine }) => {
      const name = url.startsWith("file:") ? fileURLToPath(url) : url;
      this.names.set(scriptId, name);
      this.starts.set(scriptId, startLine);
      this.latest.set(name, scriptId);
    });
  }

  name(scriptId: string): string {
    return this.names.get(scriptId) ?? "";
  }

  /** Takes a script of the user; undefined where nothing of it is left. */
  add({ script, path, text }: Loaded): UserScript | undefined {
    const id = this.latest.get(script);
    if (id === undefined) return undefined;
    const made: UserScript = {
      ...{ id, name: script, path: path ?? this.files.path(text), title: path ?? script },
      ...{ isFile: path !== undefined, text, start: this.starts.get(id) ?? 0 },
    };
    this.own.set(id, made);
    return made;
  }

  /** The user's script of this id. */
  of(scriptId: string): UserScript | undefined {
    return this.own.get(scriptId);
  }

  /** All that were compiled from what this path stands for. */
  withPath(path: string): UserScript[] {
    return [...this.own.values()].filter((one) => one.path === path);
  }

  /** Local files that have been run. */
  localFiles(): UserScript[] {
    return [
      ...new Map([...this.own.values()].filter((one) => one.isFile).map((one) => [one.path, one])).values(),
    ];
  }

  /** Where locations of a script are in its text; null in what the kernel has put there. */
  async locate(
    { id, name, text, start }: UserScript,
    locations: readonly Location[],
  ): Promise<(Place | null)[]> {
    const lines = await this.linesOf(id);
    const generated = locations.map(({ lineNumber, columnNumber = 0 }) => ({
      line: lineNumber + 1,
      column: columnNumber + 1,
    }));
    const places = await this.target.ask("locate", name, generated);
    const last = text.split("\n").length; // what comes after it was put there by the compiler
    return places.map((place, index) => {
      const { lineNumber, columnNumber = 0 } = locations[index]!;
      const line = lines[lineNumber - start] ?? "";
      const end = line.indexOf(";");
      return check.test(line) && (end < 0 || columnNumber <= end)
        ? null
        : place && place.line <= last
          ? place
          : null;
    });
  }

  /** Where a location of a script is in its text, be it in what the kernel has put there. */
  async place({ name }: UserScript, { lineNumber, columnNumber = 0 }: Location): Promise<Place | null> {
    const [place] = await this.target.ask("locate", name, [
      { line: lineNumber + 1, column: columnNumber + 1 },
    ]);
    return place ?? null;
  }

  /** Where a script's code can stop, in the order of its text. */
  async stops(script: UserScript): Promise<Stop[]> {
    const start = { scriptId: script.id, lineNumber: 0, columnNumber: 0 };
    const { locations } = await this.target.inspector.post("Debugger.getPossibleBreakpoints", { start });
    const possible = locations as Location[];
    const places = await this.locate(script, possible);
    const stops = possible.flatMap((location, index) => {
      const place = places[index];
      return place ? [{ location, place }] : [];
    });
    return stops.sort((one, other) => one.place.line - other.place.line);
  }

  private linesOf(scriptId: string): Promise<string[]> {
    const known = this.lines.get(scriptId);
    if (known) return known;
    const asked = this.target.inspector
      .post("Debugger.getScriptSource", { scriptId })
      .then(({ scriptSource }) => (scriptSource as string).split("\n"));
    this.lines.set(scriptId, asked);
    return asked;
  }
}
