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
  evaluate(expression: string, group: Group, awaits = false): Promise<RemoteValue> {
    const waits = awaits ? { replMode: true, awaitPromise: true } : {};
    return this.take("Runtime.evaluate", {
      ...{
        expression,
        objectGroup: group,
        generatePreview: true,
        silent: true,
        disableBreaks: true,
        ...waits,
      },
    });
  }

  /** Evaluates JavaScript in a frame of what is stopped. */
  evaluateIn(callFrameId: string, expression: string): Promise<RemoteValue> {
    return this.take("Debugger.evaluateOnCallFrame", {
      ...{ callFrameId, expression, objectGroup: "stop", generatePreview: true, silent: true },
    });
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
    const asked = { objectId, ownProperties: true, generatePreview: true };
    const { result, privateProperties = [] } = await this.inspector.post("Runtime.getProperties", asked);
    return [...(result as RemoteProperty[]), ...(privateProperties as RemoteProperty[])];
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

/** What was thrown, without where the inspector found it. */
function wordsOf(details: { text: string; exception?: RemoteValue }): string {
  const { description, value } = details.exception ?? {};
  return description?.split("\n    at ")[0] ?? (value === undefined ? details.text : String(value));
}
