import type { Module } from "../nn";
import { millions } from "../nn/module";
import { escapeHtml } from "./html";
import { type ModelNode, modelTree } from "./modelTree";
import type { MimeBundle } from "./nbformat";
import { aside, bar, container, muted } from "./styles";

const columns = "display:flex;gap:10px;align-items:baseline;padding:2px 0";
const numbers = "margin-left:auto;white-space:nowrap;font-variant-numeric:tabular-nums";

/** A model as a tree that opens and closes: names, kinds, shapes, parameters, and which of them are trained. */
export function modelBundle(model: Module): MimeBundle {
  const tree = modelTree(model);
  const lines = tree.children.map((part) => lineOf(part, "  "));
  return {
    "text/plain": [model.toString(), ...lines].join("\n"),
    "text/html": treeHtml(tree, detailsOf(model)),
  };
}

function lineOf({ name, kind, shape, parameters, trainable }: ModelNode, indent: string): string {
  return `${indent}${name}  ${kind || shape}  ${counts(parameters, trainable)}`;
}

/** What a model says of itself beside its kind and its counts. */
function detailsOf(model: Module): string {
  const inner = /^\w+\((.*)\)$/s.exec(model.toString())?.[1] ?? "";
  return inner.split(", ").slice(2).join(", ");
}

function treeHtml(tree: ModelNode, details: string): string {
  const size = `${millions(tree.parameters)} parameters`;
  const trainable = bar(tree.trainable / Math.max(1, tree.parameters), "running", "margin:3px 0 7px");
  const head = `<div style="${columns}"><b>${escapeHtml(tree.kind)}</b><span style="${numbers}">${size}, ${trained(tree)}</span></div>`;
  const parts = tree.children.map((part) => partHtml(part, 0)).join("");
  return container("luvit-model", "", `${head}${trainable}${aside(details)}${parts}`);
}

function partHtml(node: ModelNode, depth: number): string {
  const { name, kind, shape, children } = node;
  const label =
    `<code style="background:none;padding:0">${escapeHtml(name)}</code>` +
    `<span style="${muted}">${escapeHtml(kind || shape)}</span>` +
    `<span style="${numbers}">${millions(node.parameters)} <span style="${muted}">${trained(node)}</span></span>`;
  const indent = `margin-left:${depth === 0 ? 0 : 18}px`;
  if (children.length === 0) return `<div style="${columns};${indent};padding-left:16px">${label}</div>`;
  const inner = children.map((child) => partHtml(child, depth + 1)).join("");
  const summary = `<summary style="cursor:pointer;color:inherit"><span style="${columns};display:inline-flex;width:calc(100% - 18px);vertical-align:top">${label}</span></summary>`;
  return `<details style="${indent};margin-top:0;margin-bottom:0">${summary}${inner}</details>`;
}

function trained({ parameters, trainable }: ModelNode): string {
  if (trainable === 0) return "frozen";
  return trainable === parameters ? "trainable" : `${millions(trainable)} trainable`;
}

function counts(parameters: number, trainable: number): string {
  const of =
    trainable === 0 ? "frozen" : trainable === parameters ? "trainable" : `${millions(trainable)} trainable`;
  return `${millions(parameters)}, ${of}`;
}
