import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { type Comm, type CommMessage, kernelHost } from "../core/kernelHost";
import { callback, checkOptions, isPlain, optionsOf, such, text } from "../core/options";
import type { MimeBundle } from "./nbformat";
import { jupyterDisplay } from "./symbols";
import { packState, unpackState, type WidgetState } from "./widgetState";

/** What a widget is made of. */
export interface WidgetOptions<S extends WidgetState> {
  /** An ES module for the browser that exports `render({ model, el })` by default, as anywidget takes it. */
  esm: string;
  css?: string;
  /** What both sides know, by name: JSON, and bytes as typed arrays, which arrive as `Uint8Array`. */
  state?: S;
}

const stateField = such<WidgetState>("values by names that do not begin with _", (value) => {
  return isPlain(value) && Object.keys(value).every((name) => !name.startsWith("_"));
});

const widgetOptions = optionsOf<WidgetOptions<WidgetState>>({ esm: text }, { css: text, state: stateField });

/** The messages that widgets and their frontends speak. */
const protocol = { version: "2.1.0" };

type Listener = (value: never, buffers: readonly Uint8Array[]) => void;

/** A piece of the page and of the kernel that share a state; made by `widget()`. */
export class Widget<S extends WidgetState = WidgetState> {
  private readonly state: S;
  private readonly comm: Comm | undefined;
  private readonly listeners = new Map<string, Listener[]>();

  constructor(options: WidgetOptions<S>) {
    checkOptions("widget", widgetOptions, options);
    const { esm, css = "", state } = options;
    this.state = { ...state } as S;
    const fixed = { ...model, _anywidget_id: "luvit.widget", _esm: esm, _css: css };
    const { buffers, ...data } = packState({ ...fixed, ...this.state });
    this.comm = kernelHost()?.openComm("jupyter.widget", data, { metadata: protocol, buffers });
    this.comm?.onMessage((message) => this.take(message));
  }

  /** The value of a name, as either side has set it last. */
  get<K extends keyof S & string>(name: K): S[K] {
    this.checkName("get", name);
    return this.state[name];
  }

  /**
   * Sets values here and in every view.
   * @throws LuvitError("bad-argument") for names that the widget was made without, and values that are neither JSON nor
   *   bytes.
   */
  set(values: Partial<S>): void {
    checkOptions("widget.set", stateField, values);
    for (const name of Object.keys(values)) this.checkName("set", name);
    this.sendState("update", values);
    Object.assign(this.state, values);
    this.tell(values);
  }

  /** Hears of a value that has changed, on whichever side. */
  on<K extends keyof S & string>(event: `change:${K}`, listener: (value: S[K]) => void): void;
  /** Hears of messages that a view has sent with `model.send(content, callbacks, buffers)`. */
  on(event: "msg:custom", listener: (content: unknown, buffers: readonly Uint8Array[]) => void): void;
  on(event: string, listener: Listener): void {
    checkOptions("widget.on", callback(), listener);
    if (event.startsWith("change:")) this.checkName("on", event.slice("change:".length));
    else if (event !== "msg:custom")
      throw new LuvitError("bad-argument", `widget.on: expected change:<name> or msg:custom, got ${event}`);
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
  }

  /**
   * Sends every view a message, which is no state.
   * @throws LuvitError("bad-argument") for content that is no JSON.
   */
  send(content: unknown, buffers: readonly Uint8Array[] = []): void {
    const packed = packState({ content });
    if (packed.buffers.length > 0)
      throw new LuvitError("bad-argument", "widget.send: bytes go into the list behind the content");
    this.comm?.send({ method: "custom", ...packed.state }, { buffers: [...buffers] });
  }

  /** Takes the widget off every page. */
  close(): void {
    this.comm?.close();
  }

  [inspect.custom](): string {
    const where = this.comm ? "" : "; shown where the notebook runs in Jupyter";
    return `Widget ${inspect(this.state)}${where}`;
  }

  [jupyterDisplay](): MimeBundle {
    const text = { "text/plain": inspect(this) };
    if (!this.comm) return text;
    const view = { version_major: 2, version_minor: 1, model_id: this.comm.id };
    return { ...text, "application/vnd.jupyter.widget-view+json": view };
  }

  private take({ data, buffers }: CommMessage): void {
    const { method } = data;
    if (method === "update") this.update(data, buffers);
    else if (method === "request_state") this.sendState("update", this.state);
    else if (method === "custom")
      for (const listener of this.listeners.get("msg:custom") ?? []) listener(data.content as never, buffers);
    else throw new LuvitError("bad-argument", `a widget's message has an unknown method: ${String(method)}`);
  }

  /** Only names of the state are taken; what a view sets is told to the others by an echo. */
  private update(data: WidgetState, buffers: readonly Uint8Array[]): void {
    if (!isPlain(data.state)) throw new LuvitError("bad-argument", "a widget's update has no state");
    const sent = unpackState({ ...data.state }, data.buffer_paths, buffers);
    const known = Object.keys(sent).filter((name) => Object.hasOwn(this.state, name));
    const values = Object.fromEntries(known.map((name) => [name, sent[name]]));
    Object.assign(this.state, values);
    this.sendState("echo_update", values);
    this.tell(values);
    const unknown = Object.keys(sent).filter((name) => !known.includes(name) && !name.startsWith("_"));
    if (unknown.length > 0)
      process.stderr.write(`widget: a view has set ${unknown.join(", ")}, which its state does not have\n`);
  }

  private tell(values: WidgetState): void {
    for (const [name, value] of Object.entries(values))
      for (const listener of this.listeners.get(`change:${name}`) ?? []) listener(value as never, []);
  }

  private sendState(method: "update" | "echo_update", values: WidgetState): void {
    const { buffers, ...data } = packState(values);
    this.comm?.send({ method, ...data }, { buffers });
  }

  private checkName(caller: string, name: string): void {
    if (Object.hasOwn(this.state, name)) return;
    const names = Object.keys(this.state).join(", ") || "none";
    throw new LuvitError("bad-argument", `widget.${caller}: the widget has no ${name}; it has ${names}`);
  }
}

/** What the frontend makes of it: anywidget's model and view, of whichever version is there. */
const model = {
  _model_module: "anywidget",
  _model_name: "AnyModel",
  _model_module_version: "*",
  _view_module: "anywidget",
  _view_name: "AnyView",
  _view_module_version: "*",
  _view_count: null,
};

/**
 * A piece of the page with a script of its own, in JupyterLab and others that have anywidget (`pip install anywidget`).
 * The page's side is written as anywidget's are; this side gets, sets and hears of the same state.
 *
 * @example
 * const counter = luvit.widget({
 *   esm: `export default { render({ model, el }) {
 *     const button = document.createElement("button");
 *     const say = () => { button.textContent = "clicked " + model.get("count"); };
 *     button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
 *     model.on("change:count", say);
 *     say();
 *     el.append(button);
 *   } };`,
 *   state: { count: 0 },
 * });
 * counter.on("change:count", (count) => console.log(count));
 * luvit.show(counter);
 */
export function widget<S extends WidgetState>(options: WidgetOptions<S>): Widget<S> {
  return new Widget(options);
}
