import { optimizer } from "./adamw";
import type { SharedRules } from "./call";
import { heads } from "./heads";
import { losses } from "./losses";
import { shapes } from "./shapes";

export { Call, type Rule, type Rules } from "./call";
export { contents } from "./contents";
export { lowerNodes, refuseUnknownOps } from "./graph";
export { isSingle, type Ops, type Value } from "./ops";
export { Scope } from "./scope";
export { unlessSingle } from "./shapes";
export { withoutCopies } from "./withoutCopies";

/** How ops are written that are the same for every engine, by the op's name. */
export const sharedRules: SharedRules = { ...heads, ...losses, ...optimizer, ...shapes };
