import type { Answer, Head } from "../../browser/evidence";
import type { KernelPage } from "../../browser/payload";

const TARGET = "luvit.heads";

/** What the server of a notebook says of itself in its pages. */
interface ServerConfig {
  readonly baseUrl?: string;
  readonly wsUrl?: string;
  readonly token?: string;
}

/** Of JupyterLab and Notebook 7, of the classic Notebook, else (a saved page, an exported notebook) none. */
function serverConfig(): ServerConfig | undefined {
  const text = document.getElementById("jupyter-config-data")?.textContent;
  if (text) {
    try {
      return JSON.parse(text) as ServerConfig;
    } catch {
      return undefined;
    }
  }
  const { baseUrl, wsUrl } = document.body.dataset;
  return baseUrl === undefined ? undefined : { baseUrl, ...(wsUrl && { wsUrl }) };
}

/** Where the page's server lets one talk to a kernel; undefined where the page stands by itself. */
function channelsOf(kernel: string, session: string): string | undefined {
  const config = serverConfig();
  if (!config || !/^https?:$/.test(location.protocol)) return undefined;
  const base = new URL(config.wsUrl || config.baseUrl || "/", location.href);
  if (base.host !== location.host) return undefined;
  base.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const url = new URL(
    `${base.pathname.replace(/\/?$/, "/")}api/kernels/${encodeURIComponent(kernel)}/channels`,
    base,
  );
  url.searchParams.set("session_id", session);
  if (config.token) url.searchParams.set("token", config.token);
  return url.href;
}

/** 128 random bits; browsers have `randomUUID` on safe addresses and on this machine only. */
function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

interface Message {
  readonly header?: { readonly msg_type?: string };
  readonly content?: { readonly comm_id?: string; readonly data?: Record<string, unknown> };
}

interface Question {
  resolve(answer: Answer): void;
  reject(problem: Error): void;
}

/**
 * A page's comm with the kernel that made it, through the notebook's server as Jupyter's own pages talk to kernels. Opened at
 * the first question; either side closes it when nothing is asked any more.
 * Reference: jupyter_client, "Messaging in Jupyter", comm_open, comm_msg, comm_close.
 */
export class KernelLink {
  private comm: { readonly id: string; readonly socket: WebSocket; readonly open: Promise<void> } | undefined;
  private readonly asked = new Map<number, Question>();
  private count = 0;

  private constructor(
    private readonly page: KernelPage,
    private readonly url: string,
    private readonly session: string,
  ) {
    addEventListener("pagehide", () => this.close());
  }

  /** Undefined for a page that no kernel stands behind. */
  static of(page: KernelPage | undefined): KernelLink | undefined {
    const session = freshId();
    const url = page && channelsOf(page.kernel, session);
    return page && url !== undefined ? new KernelLink(page, url, session) : undefined;
  }

  /** What a model answers with these heads off. */
  async ask(panel: number, off: readonly Head[]): Promise<Answer> {
    this.comm ??= this.connect();
    const comm = this.comm;
    const ask = this.count++;
    const answer = new Promise<Answer>((resolve, reject) => this.asked.set(ask, { resolve, reject }));
    comm.open.then(
      () => this.send("comm_msg", { data: { ask, panel, off } }),
      () => undefined, // its end has told everybody
    );
    return answer;
  }

  private connect() {
    const socket = new WebSocket(this.url);
    const id = freshId();
    const open = new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => {
        this.send("comm_open", { target_name: TARGET, data: { page: this.page.page } });
        resolve();
      });
      socket.addEventListener("close", () => {
        reject(new Error());
        if (this.comm?.socket === socket) this.end("the kernel does not answer");
      });
    });
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") this.take(JSON.parse(data) as Message);
    });
    return { id, socket, open };
  }

  private take({ header, content }: Message): void {
    if (!this.comm || content?.comm_id !== this.comm.id) return;
    const data = content.data ?? {};
    if (header?.msg_type === "comm_close") this.end(String(data.problem ?? "the kernel has closed the page"));
    if (header?.msg_type !== "comm_msg") return;
    const question = this.asked.get(Number(data.ask));
    this.asked.delete(Number(data.ask));
    const { chances, label, chance } = data as { chances: number[]; label: string; chance: number };
    question?.resolve({ chances: Float32Array.from(chances), top: { label, chance } });
  }

  private close(): void {
    if (this.comm?.socket.readyState === WebSocket.OPEN) this.send("comm_close", { data: {} });
    this.end("the page was left");
  }

  private end(problem: string): void {
    const { comm } = this;
    this.comm = undefined;
    comm?.socket.close();
    const questions = [...this.asked.values()];
    this.asked.clear();
    for (const { reject } of questions) reject(new Error(problem));
  }

  private send(type: string, content: object): void {
    const { comm, session } = this;
    if (!comm) return;
    const header = {
      ...{ msg_id: freshId(), msg_type: type, session, username: "", version: "5.3" },
      date: new Date().toISOString(),
    };
    const message = {
      ...{ header, parent_header: {}, metadata: {}, channel: "shell", buffers: [] },
      content: { comm_id: comm.id, ...content },
    };
    comm.socket.send(JSON.stringify(message));
  }
}
