import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { LuvitError } from "../../src/core/errors";

/** A script of ours in a process of its own that answers one message after the other. */
export class Child {
  private constructor(
    private readonly process: ChildProcess,
    private readonly script: string,
  ) {}

  static start(script: string): Child {
    return new Child(fork(script, { serialization: "advanced" }), script);
  }

  /** @throws LuvitError("engine") when the process ends without an answer. */
  async ask<Answer>(question: unknown): Promise<Answer> {
    const ended = once(this.process, "exit").then(() => [undefined]);
    this.process.send(question as object);
    const [answer] = await Promise.race([once(this.process, "message"), ended]);
    if (answer !== undefined) return answer as Answer;
    throw new LuvitError("engine", `${this.script} ended early; its message stands above`);
  }

  async close(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, "exit");
    this.process.disconnect();
    await ended;
  }
}

/** In the child: answers every question until the parent lets go. */
export function answerParent(answer: (question: never) => Promise<unknown>): void {
  process.on("message", (question) => {
    answer(question as never).then(
      (value) => process.send!(value ?? null),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on("disconnect", () => process.exit(0));
}
