import type { ChildCounts } from "../executor/children";
import { Refusal } from "./messages";
import type { Group, RemoteProperty, RemoteValue, Target } from "./target";
import { textOfValue, typeOfValue } from "./values";

/** A variable as the protocol has it. */
export interface Variable {
  name: string;
  value: string;
  /** Left out where the value says it: JupyterLab shows a type instead of the value, but for Python's. */
  type?: string;
  evaluateName?: string;
  variablesReference: number;
}

/** What a reference stands for. */
type Referred =
  | { kind: "value"; objectId: string }
  | { kind: "part"; objectId: string; start: number; count: number }
  /** A list of its own, and how one of them is set. */
  | {
      kind: "list";
      properties: RemoteProperty[];
      assign: (name: string, value: string) => Promise<RemoteValue>;
    };

/** Most elements of a list that are shown without folding them by hundreds. */
const page = 100;
/** More named properties than this are cut. */
const mostNames = 500;

/** Values that a frontend can look into, by number, until they are forgotten. */
export class Variables {
  private readonly referred = new Map<number, Referred & { group: Group }>();
  private last = 0;

  constructor(private readonly target: Target) {}

  refer(referred: Referred, group: Group): number {
    this.referred.set(++this.last, { ...referred, group });
    return this.last;
  }

  /** References of a group mean nothing from now on. */
  forget(group: Group): void {
    for (const [reference, one] of this.referred) if (one.group === group) this.referred.delete(reference);
  }

  show(name: string, value: RemoteValue, group: Group): Variable {
    const objectId = value.type === "symbol" ? undefined : value.objectId;
    const variablesReference = objectId === undefined ? 0 : this.refer({ kind: "value", objectId }, group);
    return { name, value: textOfValue(value), type: typeOfValue(value), variablesReference };
  }

  /** What is in a value, a scope or a part of a list. */
  async list(reference: number, start: number, count: number): Promise<Variable[]> {
    const one = this.of(reference);
    if (one.kind === "list") return this.shown(one.properties, one.group);
    if (one.kind === "part") return this.elements(one.objectId, one.start, one.count, one.group);
    const { objectId, group } = one;
    const counts = (await this.target.call("childCounts", objectId, [])).value as ChildCounts;
    if (count > 0 && counts.indexed > 0) return this.elements(objectId, start, count, group);
    if (counts.indexed > page) return this.folded(objectId, 0, counts.indexed, group);
    if (counts.indexed > 0) return this.elements(objectId, 0, counts.indexed, group);
    return this.named(objectId, counts.named, group);
  }

  /** Sets one of what `list` gives to what a text evaluates to. */
  async set(reference: number, name: string, text: string): Promise<RemoteValue> {
    const one = this.of(reference);
    if (one.kind !== "list")
      throw new Refusal(`${name}: only variables can be set; evaluate an assignment instead`);
    return one.assign(name, text);
  }

  private of(reference: number): Referred & { group: Group } {
    const one = this.referred.get(reference);
    if (!one) throw new Refusal(`variablesReference ${reference}: the program has gone on since`);
    return one;
  }

  private async named(objectId: string, count: number, group: Group): Promise<Variable[]> {
    if (count <= mostNames) return this.shown(await this.target.properties(objectId), group);
    const first = await this.partOf(objectId, 0, mostNames);
    const rest = { name: "…", value: `${count - mostNames} more`, variablesReference: 0 };
    return [...this.shown(first, group), rest];
  }

  private async elements(objectId: string, start: number, count: number, group: Group): Promise<Variable[]> {
    if (count > page) return this.folded(objectId, start, count, group);
    return this.shown(await this.partOf(objectId, start, count), group);
  }

  private async partOf(objectId: string, start: number, count: number): Promise<RemoteProperty[]> {
    const part = await this.target.call("part", objectId, [start, count], { byValue: false });
    return this.target.properties(part.objectId!);
  }

  /** A long list as at most a hundred shorter ones. */
  private folded(objectId: string, start: number, count: number, group: Group): Variable[] {
    let size = page;
    while (size * page < count) size *= page;
    const folds: Variable[] = [];
    for (let at = start; at < start + count; at += size) {
      const length = Math.min(size, start + count - at);
      const variablesReference = this.refer({ kind: "part", objectId, start: at, count: length }, group);
      folds.push({ name: `[${at} … ${at + length - 1}]`, value: "", variablesReference });
    }
    return folds;
  }

  private shown(properties: readonly RemoteProperty[], group: Group): Variable[] {
    return properties
      .filter(({ name }) => name !== "__proto__")
      .map(({ name, value }) =>
        value
          ? this.show(name, value, group)
          : { name, value: "(computed when read)", type: "accessor", variablesReference: 0 },
      );
  }
}
