import { debuggee } from "../executor/debuggeePlace";
import type { Frame } from "./frames";
import { Refusal } from "./messages";
import type { UserScript } from "./scripts";
import type { RemoteProperty, RemoteValue, Target } from "./target";

/**
 * Variables of a frame that belong together. The names are those that JupyterLab lets one choose from; of others, and for an
 * absent one, it shows the first section.
 */
export interface Section {
  name: "Locals" | "Globals";
  properties: RemoteProperty[];
}

/** What the inspector knows of one scope. */
interface Level {
  type: string;
  properties: RemoteProperty[];
  /** Whether it is that of the function that a whole cell or file is. */
  isTop: boolean;
}

/** The variables of frames, and what is evaluated among them. */
export class Scopes {
  private readonly known = new Map<string, Promise<Level[]>>();

  constructor(private readonly target: Target) {}

  /** What was known of frames means nothing after a step. */
  forget(): void {
    this.known.clear();
  }

  /** The frame's variables: its own and those of the functions around it, where it has any; those kept between cells, or in its file, last. */
  async sections({ call, script }: Frame): Promise<Section[]> {
    const levels = await this.levels(call.callFrameId, call.scopeChain);
    const local = levels.findIndex(({ type }) => type === "local");
    const isShown = (one: RemoteProperty) => !script || isWritten(one.name, script);
    const among = (those: readonly Level[]) => merged(those).filter(isShown);
    const inner = levels.slice(0, local + 1).filter(({ isTop }) => !isTop);
    const around = levels.slice(local + 1).filter(({ isTop }) => !isTop);
    const own = script && isObject(call.this) && /\bthis\b/.test(script.text) ? [self(call.this)] : [];
    const locals = [...own, ...among([...inner, ...around])];
    const sections: Section[] = locals.length > 0 ? [{ name: "Locals", properties: locals }] : [];
    if (script) sections.push(await this.kept(script, among(levels.filter(({ isTop }) => isTop))));
    return sections;
  }

  /** The variables that stay when a cell or a file has run. */
  async kept(script: UserScript, top: readonly RemoteProperty[]): Promise<Section> {
    const kept = await this.variables(script.name, "stop");
    const names = new Set(kept.map(({ name }) => name));
    const properties = [...kept, ...top.filter(({ name }) => !names.has(name))];
    return { name: "Globals", properties };
  }

  /** The variables that are kept of a script's; for any cell those of the notebook. */
  async variables(script: string, group: "stop" | "idle"): Promise<RemoteProperty[]> {
    const expression = `${debuggee}.variables(${JSON.stringify(script)})`;
    const all = await this.target.evaluate(expression, group);
    const properties = await this.target.properties(all.objectId!);
    return properties.filter(({ name }) => name !== "__proto__");
  }

  /** Evaluates TypeScript in a frame. */
  async evaluate({ call, script }: Frame, source: string): Promise<RemoteValue> {
    const levels = await this.levels(call.callFrameId, call.scopeChain);
    const locals = merged(levels).map(({ name }) => name);
    const code = script ? await this.target.ask("evaluation", source, script.name, locals) : source;
    return this.target.evaluateIn(call.callFrameId, code).catch(refuse);
  }

  /** Puts what a text evaluates to in a frame among the notebook's variables. */
  async keep(frame: Frame, name: string, source: string): Promise<void> {
    await this.evaluate(frame, `${debuggee}.exportsOf("")[${JSON.stringify(name)}] = (${source}\n)`);
  }

  /** Evaluates TypeScript among the notebook's variables, between cells. */
  async evaluateIdle(source: string): Promise<RemoteValue> {
    const code = await this.target.ask("evaluation", source, "", []).catch(refuse);
    return this.target.evaluate(code, "idle", /\bawait\b/.test(source)).catch(refuse);
  }

  private levels(frame: string, chain: Frame["call"]["scopeChain"]): Promise<Level[]> {
    const known = this.known.get(frame);
    if (known) return known;
    const scopes = chain.filter(({ type }) => type !== "global" && type !== "script");
    const asked = Promise.all(
      scopes.map(async ({ type, object }) => {
        const properties = await this.target.properties(object.objectId);
        return { type, properties, isTop: properties.some(({ name }) => name === "__luvit_stop") };
      }),
    );
    this.known.set(frame, asked);
    return asked;
  }
}

function refuse(error: unknown): never {
  throw new Refusal((error as Error).message);
}

/** The variables of scopes, inner ones first, each name once. */
function merged(levels: readonly Level[]): RemoteProperty[] {
  const all = new Map<string, RemoteProperty>();
  for (const one of levels.flatMap(({ properties }) => properties))
    if (!all.has(one.name)) all.set(one.name, one);
  return [...all.values()];
}

const modules = new Set(["exports", "require", "module", "__filename", "__dirname"]);

/** Whether a name is the user's: compilers and the kernel bring some of their own. */
function isWritten(name: string, { text }: UserScript): boolean {
  return !modules.has(name) && !name.startsWith("__luvit_") && text.includes(name);
}

function isObject(value: RemoteValue): boolean {
  return value.objectId !== undefined && value.className !== "global";
}

function self(value: RemoteValue): RemoteProperty {
  return { name: "this", value };
}
