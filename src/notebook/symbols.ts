/** The symbol by which an object says how notebooks show it: a method returning a MIME bundle, async allowed. */
export const jupyterDisplay: symbol = Symbol.for("Jupyter.display");
