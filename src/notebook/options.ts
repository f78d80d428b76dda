import { list, number, optionsOf, such, whole } from "../core/options";
import type { ProgressOptions } from "./progress";
import type { TableOptions } from "./table";

const label = such<string>("a text", (value) => typeof value === "string");

export const tableOptions = optionsOf<TableOptions>(
  {},
  { columns: list(label, 1), limit: whole(1, 100_000) },
);

export const progressOptions = optionsOf<ProgressOptions>(
  {},
  { total: number(0, Number.MAX_SAFE_INTEGER), label },
);
