import { test } from "node:test";
import { Calls } from "../../../support/calls";
import { Page, run, soon } from "../pageElements";

type Event = { data?: unknown };

test("what a page asks its kernel, and when it gives up, is approved", async () => {
  const page = new Page();
  const calls = new Calls();
  const log: string[] = [];
  const sockets: Socket[] = [];
  const plain = (text: string) =>
    text.replace(/[0-9a-f]{32}/g, "id").replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, "date");
  class Socket {
    static readonly OPEN = 1;
    readyState = 0;
    private readonly listeners = new Map<string, ((event: Event) => void)[]>();
    constructor(url: string) {
      log.push(`open ${plain(url)}`);
      sockets.push(this);
    }
    addEventListener(type: string, listener: (event: Event) => void): void {
      this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
    }
    tell(type: string, event: Event = {}): void {
      if (type === "open") this.readyState = 1;
      for (const listener of this.listeners.get(type) ?? []) listener(event);
    }
    send(text: string): void {
      log.push(plain(text));
      this.comm = JSON.parse(text).content.comm_id;
    }
    comm = "";
    close(): void {
      log.push("close");
      this.readyState = 3;
    }
  }
  (globalThis as { WebSocket?: unknown }).WebSocket = Socket;
  run("attention/live/browser/main");
  const makeLink = (
    globalThis as {
      luvitKernelLink?: (page: unknown) => undefined | { ask(...given: unknown[]): Promise<unknown> };
    }
  ).luvitKernelLink!;
  const about = { kernel: "k 1", page: "p" };
  const config = page.element("script", { id: "jupyter-config-data" });
  const urls = async (name: string, prepare: () => void) => {
    prepare();
    const link = makeLink(about);
    link?.ask(0, []).catch(() => {});
    await soon(1);
    calls.note(name, [link !== undefined, ...log.splice(0)]);
  };
  calls.note("no page", makeLink(undefined));
  await urls("no server", () => {});
  await urls("classic", () => page.body.setAttribute("data-base-url", "/user/a/"));
  await urls("classic with sockets", () => page.body.setAttribute("data-ws-url", "ws://a.b/sockets"));
  page.body.append(config);
  for (const text of [
    '{"baseUrl":"/lab"}',
    '{"baseUrl":"/","token":"t&1"}',
    '{"baseUrl":"/","wsUrl":"wss://other/x"}',
    "{}",
    "no JSON",
  ])
    await urls(text, () => {
      config.textContent = text;
    });
  await urls("a safe page", () => {
    config.textContent = '{"baseUrl":"/x/"}';
    page.location.protocol = "https:";
  });
  await urls("a file", () => {
    page.location.protocol = "file:";
  });
  page.location.protocol = "http:";
  sockets.splice(0);
  const link = makeLink(about)!;
  const asked = (name: string, given: Promise<unknown>) =>
    given.then(
      (answer) => log.push(`${name}: ${JSON.stringify(answer)}`),
      (error: Error) => log.push(`${name} fails: ${error.message}`),
    );
  const step = async (name: string, act: () => unknown) => {
    act();
    await soon(2);
    calls.note(name, log.splice(0));
  };
  const message = (type: string, content: object) => ({
    data: JSON.stringify({ header: { msg_type: type }, content }),
  });
  const answer = (ask: number) =>
    message("comm_msg", {
      comm_id: sockets.at(-1)!.comm,
      data: { ask, chances: [0.5, 0.25], label: "bee", chance: 0.5 },
    });
  await step("two questions", () => {
    asked("first", link.ask(0, [{ layer: "blocks.0", head: 1 }]));
    asked("second", link.ask(1, []));
  });
  await step("the socket opens", () => sockets[0].tell("open"));
  await step("bytes", () => sockets[0].tell("message", { data: new Uint8Array(3) }));
  await step("another comm's message", () =>
    sockets[0].tell("message", message("comm_msg", { comm_id: "x", data: { ask: 0 } })),
  );
  await step("a status", () => sockets[0].tell("message", message("status", { comm_id: sockets[0].comm })));
  await step("the second answer", () => sockets[0].tell("message", answer(1)));
  await step("an answer to nobody", () => sockets[0].tell("message", answer(9)));
  await step("the kernel closes", () =>
    sockets[0].tell(
      "message",
      message("comm_close", { comm_id: sockets[0].comm, data: { problem: "run its cell again" } }),
    ),
  );
  await step("asked again", () => asked("third", link.ask(0, [])));
  await step("opens", () => sockets[1].tell("open"));
  await step("the old socket closes", () => sockets[0].tell("close"));
  await step("the kernel closes without a word", () =>
    sockets[1].tell("message", message("comm_close", { comm_id: sockets[1].comm })),
  );
  await step("and again", () => asked("fourth", link.ask(0, [])));
  await step("the socket closes before it opens", () => sockets[2].tell("close"));
  await step("once more", () => asked("fifth", link.ask(0, [])));
  await step("opens again", () => sockets[3].tell("open"));
  await step("the page is left", () => page.send("pagehide"));
  calls.approve("figures/attention/kernel");
});
