import { optimizer } from "./adamw";
import type { SharedRules } from "./call";
import { heads } from "./heads";
import { losses } from "./losses";

export { Call, type Rule, type Rules } from "./call";
export { lowerNodes, refuseUnknownOps } from "./graph";
export type { Ops, Value } from "./ops";
export { Scope } from "./scope";
export { withoutCopies } from "./withoutCopies";

/** How ops are written that are the same for every engine, by the op's name. */
export const sharedRules: SharedRules = { ...heads, ...losses, ...optimizer };
