import { Session } from "node:inspector";

/** What V8's inspector says and takes is described by its own protocol; each caller names what it reads. */
// biome-ignore lint/suspicious/noExplicitAny: messages of a protocol that Node does not type for other threads
type Content = any;

/** Node's inspector of the thread of the cells, from another thread of the process; no port is opened for it. */
export class Inspector {
  private readonly session = new Session();

  constructor() {
    this.session.connectToMainThread();
  }

  /** Sends a request; rejects with the inspector's own words. */
  post(method: string, params?: object): Promise<Content> {
    return new Promise((resolve, reject) => {
      this.session.post(method, params, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }

  on(event: string, take: (params: Content) => void): void {
    this.session.on(event, ({ params }: { params: Content }) => take(params));
  }

  close(): void {
    this.session.disconnect();
  }
}
