import type { Debuggee } from "../executor/debuggee";
import { debuggee } from "../executor/debuggeePlace";
import { Inspector } from "../watch/inspector";

/** A value in the thread of the cells, as the inspector shows it. */
export interface RemoteValue {
  type: string;
  subtype?: string;
  className?: string;
  value?: unknown;
  unserializableValue?: string;
  description?: string;
  objectId?: string;
  preview?: { properties: PreviewProperty[]; entries?: PreviewEntry[]; overflow: boolean };
}

export interface PreviewProperty {
  name: string;
  type: string;
  value?: string;
}

interface PreviewEntry {
  key?: { description?: string };
  value: { description?: string };
}

/** A property of one. */
export interface RemoteProperty {
  name: string;
  value?: RemoteValue;
  get?: RemoteValue;
}

type Answers = {
  [Name in keyof Debuggee]: Debuggee[Name] extends (...values: infer Values) => infer Answer
    ? { values: Values; answer: Awaited<Answer> }
    : never;
};

/** Values that are kept for a frontend are so until the next step, or until the next look between cells. */
export type Group = "stop" | "idle";

/** The thread of the cells, whose values and code are reached through the inspector. */
export class Target {
  readonly inspector = new Inspector();

  /** Asks the `Debuggee`; the answer is a copy. */
  async ask<Name extends keyof Answers>(
    name: Name,
    ...values: Answers[Name]["values"]
  ): Promise<Answers[Name]["answer"]> {
    const expression = `${debuggee}.${name}(...${JSON.stringify(values)})`;
    const result = await this.take("Runtime.evaluate", {
      ...{ expression, returnByValue: true, silent: true, disableBreaks: true },
    });
    return result.value as Answers[Name]["answer"];
  }

  /** Evaluates JavaScript in no frame; what awaits is answered when the thread has nothing else to do. */
  async evaluate(expression: string, group: Group, awaits = false): Promise<RemoteValue> {
    const waits = awaits ? { replMode: true, awaitPromise: true } : {};
    const asked = { expression, objectGroup: group, silent: true, disableBreaks: true, ...waits };
    return this.previewed(await this.take("Runtime.evaluate", asked));
  }

  /** Evaluates JavaScript in a frame of what is stopped. */
  async evaluateIn(callFrameId: string, expression: string): Promise<RemoteValue> {
    const asked = { callFrameId, expression, objectGroup: "stop", silent: true };
    return this.previewed(await this.take("Debugger.evaluateOnCallFrame", asked));
  }

  /** Calls a function of the `Debuggee` with a value; the answer is a copy where `byValue` says so. */
  call(
    name: keyof Answers,
    objectId: string,
    values: readonly unknown[],
    { byValue = true, awaits = false }: { byValue?: boolean; awaits?: boolean } = {},
  ): Promise<RemoteValue> {
    return this.take("Runtime.callFunctionOn", {
      objectId,
      functionDeclaration: `function (...values) { return ${debuggee}.${name}(this, ...values); }`,
      arguments: values.map((value) => ({ value })),
      ...{ returnByValue: byValue, awaitPromise: awaits, silent: true },
    });
  }

  /** The properties of a value itself. */
  async properties(objectId: string): Promise<RemoteProperty[]> {
    const plain = await this.own(objectId, false);
    if (!plain.some(({ value }) => value && isLarge(value))) return this.own(objectId, true);
    const shown = async ({ value, ...rest }: RemoteProperty) => ({
      ...rest,
      value: value && (await this.previewed(value)),
    });
    return Promise.all(plain.map(shown));
  }

  private async own(objectId: string, generatePreview: boolean): Promise<RemoteProperty[]> {
    const asked = { objectId, ownProperties: true, generatePreview };
    const { result, privateProperties = [] } = await this.inspector.post("Runtime.getProperties", asked);
    return [...(result as RemoteProperty[]), ...(privateProperties as RemoteProperty[])];
  }

  /** A value with some of what is in it, as far as that is quickly found. */
  private async previewed(value: RemoteValue): Promise<RemoteValue> {
    const { objectId } = value;
    if (value.type !== "object" || objectId === undefined || isLarge(value)) return value;
    const functionDeclaration = "function () { return this; }";
    const { preview } = await this.take("Runtime.callFunctionOn", {
      ...{ objectId, functionDeclaration, generatePreview: true, silent: true },
    });
    return { ...value, preview };
  }

  release(objectGroup: Group): Promise<unknown> {
    return this.inspector.post("Runtime.releaseObjectGroup", { objectGroup });
  }

  private async take(method: string, params: object): Promise<RemoteValue> {
    const { result, exceptionDetails } = await this.inspector.post(method, params);
    if (exceptionDetails) throw new Error(wordsOf(exceptionDetails));
    return result;
  }
}

/** Entries of a map or a set from which on V8, which copies all of them to show five, is not asked for any. */
const mostEntries = 1000;

function isLarge({ subtype, description = "" }: RemoteValue): boolean {
  if (subtype !== "map" && subtype !== "set") return false;
  return Number(/\((\d+)\)$/.exec(description)?.[1] ?? 0) > mostEntries;
}

/** What was thrown, without where the inspector found it. */
function wordsOf(details: { text: string; exception?: RemoteValue }): string {
  const { description, value } = details.exception ?? {};
  return description?.split("\n    at ")[0] ?? (value === undefined ? details.text : String(value));
}
