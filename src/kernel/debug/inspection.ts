import { type Arguments, numberOf, Refusal, textOf } from "./messages";
import type { RemoteValue } from "./target";
import { type DebuggedThread, threadId } from "./thread";
import { textOfValue } from "./values";

/** A request's answer, from a thread that is debugged. */
type Inspect = (thread: DebuggedThread, args: Arguments) => object | Promise<object>;

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** Requests that look at the program, and change its variables. */
export const inspections: Record<string, Inspect> = {
  threads: () => ({ threads: [{ id: threadId, name: "cells" }] }),

  stackTrace(thread, args) {
    const { frames } = thread.stopped;
    const start = numberOf(args, "startFrame", 0);
    const levels = numberOf(args, "levels", 0) || frames.length;
    const stackFrames = frames
      .slice(start, start + levels)
      .map(({ id, name, title, path, line, column, script }) => ({
        ...{ id, name, line, column, source: { name: title, path, sourceReference: 0 } },
        ...(script ? {} : { presentationHint: "subtle" }),
      }));
    return { stackFrames, totalFrames: frames.length };
  },

  async scopes(thread, args) {
    const frame = thread.frame(numberOf(args, "frameId"));
    const sections = await thread.scopes.sections(frame);
    const assign = (section: string) => async (name: string, value: string) => {
      const set = await thread.scopes.evaluate(frame, assignment(name, value));
      if (section === "Globals" && !frame.script?.isFile) await thread.scopes.keep(frame, name, name); // a cell has its own, and the notebook one
      return set;
    };
    const scopes = sections.map(({ name, properties }) => {
      const variablesReference = thread.variables.refer(
        { kind: "list", properties, assign: assign(name) },
        "stop",
      );
      return { name, variablesReference, expensive: false, namedVariables: properties.length };
    });
    return { scopes };
  },

  async variables(thread, args) {
    const [start, count] = [numberOf(args, "start", 0), numberOf(args, "count", 0)];
    return { variables: await thread.variables.list(numberOf(args, "variablesReference"), start, count) };
  },

  async setVariable(thread, args) {
    const name = textOf(args, "name");
    const reference = numberOf(args, "variablesReference");
    const set = await thread.variables.set(reference, name, textOf(args, "value"));
    return shown(thread, set, "value");
  },

  async evaluate(thread, args) {
    return shown(thread, await evaluate(thread, textOf(args, "expression"), args.frameId), "result");
  },

  async exceptionInfo(thread) {
    const { exception } = thread.stopped;
    if (!exception) throw new Refusal("the thread is not stopped by an exception");
    const exceptionId = exception.className ?? exception.type;
    const description = textOfValue(exception);
    const breakMode = thread.filters.has("all") ? "always" : "unhandled";
    return {
      exceptionId,
      description,
      breakMode,
      details: { message: description, stackTrace: exception.description },
    };
  },

  async inspectVariables(thread) {
    const group = thread.halt ? "stop" : "idle";
    if (group === "idle") {
      thread.variables.forget("idle");
      await thread.target.release("idle");
    }
    const properties = await thread.scopes.variables("", group);
    const frame = thread.halt?.frames[0];
    const assign = (name: string, value: string) =>
      frame
        ? thread.scopes.evaluate(frame, assignment(name, value))
        : thread.scopes.evaluateIdle(assignment(name, value));
    const reference = thread.variables.refer({ kind: "list", properties, assign }, group);
    return { variables: await thread.variables.list(reference, 0, 0) };
  },

  async richInspectVariables(thread, args) {
    const value = await evaluate(thread, textOf(args, "variableName"), args.frameId);
    const waits = thread.halt === undefined;
    const { objectId } = value;
    const data =
      objectId === undefined
        ? await bundleOfPrimitive(thread, value)
        : (await thread.target.call("bundle", objectId, [waits], { awaits: waits })).value;
    return { data, metadata: {} };
  },

  async copyToGlobals(thread, args) {
    const [from, to] = [textOf(args, "srcVariableName"), textOf(args, "dstVariableName")];
    if (!identifier.test(to)) throw new Refusal(`${to}: not a name that a cell can declare`);
    const frame = thread.frame(numberOf(args, "srcFrameId"));
    await thread.scopes.evaluate(frame, from); // refuses what is not there before anything is declared
    await thread.target.ask("declare", to);
    await thread.scopes.keep(frame, to, from);
    return {};
  },

  modules(thread) {
    const files = thread.scripts.localFiles();
    return {
      modules: files.map(({ path }, index) => ({ id: index + 1, name: path, path })),
      totalModules: files.length,
    };
  },
};

/** Evaluates in a frame; without one, in the uppermost, or between cells. */
function evaluate(thread: DebuggedThread, source: string, frameId: unknown): Promise<RemoteValue> {
  const { scopes, halt } = thread;
  if (frameId !== undefined && frameId !== null)
    return scopes.evaluate(thread.frame(numberOf({ frameId }, "frameId")), source);
  return halt?.frames[0] ? scopes.evaluate(halt.frames[0], source) : scopes.evaluateIdle(source);
}

function shown(thread: DebuggedThread, value: RemoteValue, called: "result" | "value"): object {
  const { value: text, ...rest } = thread.variables.show("", value, thread.halt ? "stop" : "idle");
  return { [called]: text, type: rest.type, variablesReference: rest.variablesReference };
}

/** Values that are no objects are shown from here; JSON does not carry all of them. */
async function bundleOfPrimitive(thread: DebuggedThread, value: RemoteValue): Promise<object> {
  const isPlain = value.type === "string" || value.type === "number" || value.type === "boolean";
  if (!isPlain || value.value === undefined) return { "text/plain": textOfValue(value) };
  return thread.target.ask("bundle", value.value, thread.halt === undefined);
}

function assignment(name: string, value: string): string {
  if (!identifier.test(name)) throw new Refusal(`${name}: not a variable that can be set`);
  return `${name} = (${value}\n)`;
}
