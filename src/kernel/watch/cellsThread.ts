import { Session } from "node:inspector";
import { question } from "./watched";

type Post = (method: string, params?: object) => Promise<unknown>;

/**
 * The thread of the cells as another thread of the process reaches it while it computes: between two steps of any
 * JavaScript, WebAssembly or regular expression, but not inside native code. Sessions are short, since a process with
 * an open one waits at its end.
 */
export class CellsThread {
  /** Asks one of the questions of `Watched`; answered once the thread is in JavaScript, or waits for events. */
  async ask(...asked: Parameters<typeof question>): Promise<unknown> {
    return withSession((post) => evaluate(post, question(...asked)));
  }

  /**
   * Stops the code that runs at this moment, whatever it is: its promises never settle and its `finally` blocks do not
   * run. What waits for events goes on.
   */
  async terminate(): Promise<void> {
    await withSession(async (post) => {
      const cleared = evaluate(post, question("clearStack"));
      const terminated = post("Runtime.terminateExecution"); // both at one step of the code
      await Promise.all([cleared, terminated]);
    });
  }
}

async function evaluate(post: Post, expression: string): Promise<unknown> {
  const answer = await post("Runtime.evaluate", { expression, returnByValue: true, silent: true });
  return (answer as { result?: { value?: unknown } }).result?.value;
}

async function withSession<Value>(use: (post: Post) => Promise<Value>): Promise<Value> {
  const session = new Session();
  session.connectToMainThread();
  const post: Post = (method, params) =>
    new Promise((resolve, reject) => {
      session.post(method, params, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  try {
    return await use(post);
  } finally {
    session.disconnect();
  }
}
