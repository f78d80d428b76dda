import { stripVTControlCharacters } from "node:util";
import type { Content, Exchange, KernelClient } from "../unit/kernel/client";
import type { Dialect } from "./dialects";

/** One question to a kernel; it is answered no by whatever it throws. */
export interface Check {
  name: string;
  ask(kernel: KernelClient, dialect: Dialect): Promise<void>;
}

export const of = ({ published }: Exchange, type: string): Content[] =>
  published.filter((message) => message.type === type).map(({ content }) => content);

export const streamed = (ran: Exchange, name: string): string =>
  of(ran, "stream")
    .filter((content) => content.name === name)
    .map(({ text }) => text)
    .join("");

/** The value as text, without colors. */
export function plain(ran: Exchange): string | undefined {
  const text: string | undefined = of(ran, "execute_result")[0]?.data["text/plain"];
  return text && stripVTControlCharacters(text);
}

export const info = (kernel: KernelClient, channel: "shell" | "control" = "shell"): Promise<Content> =>
  kernel.reply("kernel_info_request", {}, channel);

export async function completeness(kernel: KernelClient, code: string): Promise<string> {
  return (await kernel.ask("is_complete_request", { code })).reply.status;
}

export const atEnd = (code: string) => ({ code, cursor_pos: code.length });
