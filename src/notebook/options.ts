import { such } from "../core/options";

export const label = such<string>("a text", (value) => typeof value === "string");
