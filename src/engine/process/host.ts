import { LuvitError } from "../../core/errors";
import { groupFor, joinGroup } from "../../distributed/group";
import type { ArraysByName, Engine } from "../executor";
import { saveState } from "../saveState";
import { alignState, sameState } from "./alignState";
import { loadEngine, type ProcessEngine } from "./engines";
import type { Frame } from "./frames";
import { loadState } from "./loadState";
import { type GroupRequest, packError, type Reply, type Request, unpackPrograms } from "./messages";

type Answer = Omit<Reply, "id" | "error"> & { arrays?: ArraysByName };

/** The executors of an engine process, and what is asked of them. */
export class EngineHost {
  private readonly executors = new Map<number, Engine>();

  constructor(private readonly engine: ProcessEngine) {}

  /** Never throws: errors are answers. */
  async answer({ message, arrays }: Frame): Promise<Frame> {
    const { id, ...request } = message as Request & { id: number };
    try {
      const { arrays: results = {}, ...answer } = await this.perform(request, arrays);
      return { message: { id, ...answer } satisfies Reply, arrays: results };
    } catch (error) {
      return { message: { id, error: packError(error) } satisfies Reply, arrays: {} };
    }
  }

  private async perform(request: Request, arrays: ArraysByName): Promise<Answer> {
    if (request.act === "open") return this.open(request, arrays);
    if (!("executor" in request)) return this.performInGroup(request, arrays);
    const executor = this.executors.get(request.executor);
    if (!executor) throw new LuvitError("engine", `there is no executor ${request.executor}`);
    const answer = await this.performOn(executor, request, arrays);
    return { ...answer, device: executor.traffic.device };
  }

  private async performOn(
    executor: Engine,
    request: Exclude<Request, { act: "open" } | GroupRequest>,
    arrays: ArraysByName,
  ): Promise<Answer> {
    switch (request.act) {
      case "run":
        return { arrays: await executor.run(request.program, arrays, request.options) };
      case "read":
        // The asking side sends nothing more to this executor before it has the answer, so that views stay good.
        return { arrays: await (executor.viewState ?? executor.readState).call(executor, request.names) };
      case "save":
        return { broken: await saveState(executor, request.path, new Map(request.places)) };
      case "load":
        return { left: await loadState(executor, request.files) };
      case "write":
        await executor.writeState(arrays);
        return {};
      case "align":
        return { differing: await alignState(executor, request.changing, request.frozen) };
      case "same":
        return { same: await sameState(executor, request.changing) };
      case "dispose":
        this.executors.delete(request.executor);
        await executor.dispose();
        return {};
    }
  }

  private async performInGroup(request: GroupRequest, { numbers, own }: ArraysByName): Promise<Answer> {
    if (request.act === "join") return { mpi: joinGroup(request).mpi };
    const group = groupFor(request.act);
    if (request.act === "leave") {
      await group.leave();
      return {};
    }
    if (request.act === "gather") {
      const all = await group.gather(own as Uint8Array);
      return { arrays: Object.fromEntries(all.entries()) };
    }
    const sums = new Float64Array(Uint8Array.from(numbers).buffer);
    await group.sum(sums);
    return { arrays: { numbers: new Uint8Array(sums.buffer) } };
  }

  private async open(request: Extract<Request, { act: "open" }>, arrays: ArraysByName): Promise<Answer> {
    const open = loadEngine(this.engine);
    const executor = await open(unpackPrograms(request.programs, arrays), request.options);
    this.executors.set(request.executor, executor);
    return { description: executor.description };
  }
}
