import { checkOptions } from "../../core/options";
import { type Tensor, tensorField, tf } from "../../core/tf";
import { geluSlope, lookUp, normal, sigmoid } from "./curves";
import { defineOp } from "./defineOp";

const INVERSE_SQRT_2 = Math.SQRT1_2;
const INVERSE_SQRT_2PI = 0.3989422804014327;

const sameShape = (x: { shape: number[] }) => [{ shape: x.shape, dtype: "float32" as const }];

const geluGradient = defineOp<"x" | "dy", object>({
  name: "LuvitGeluGradient",
  inputs: ["x", "dy"],
  outputs: ({ x }) => sameShape(x),
  compute: ({ x, dy }, [dx]) => {
    for (let i = 0; i < x.length; i++) dx[i] = dy[i] * lookUp(geluSlope, x[i]);
  },
  composite: ({ x, dy }) => {
    const distribution = tf.mul(0.5, tf.add(1, tf.erf(tf.mul(x, INVERSE_SQRT_2))));
    const density = tf.mul(INVERSE_SQRT_2PI, tf.exp(tf.mul(-0.5, tf.square(x))));
    return [tf.mul(dy, tf.add(distribution, tf.mul(x, density)))];
  },
});

const geluOp = defineOp<"x", object>({
  name: "LuvitGelu",
  inputs: ["x"],
  outputs: ({ x }) => sameShape(x),
  compute: ({ x }, [y]) => {
    for (let i = 0; i < x.length; i++) y[i] = x[i] * lookUp(normal, x[i]);
  },
  composite: ({ x }) => [tf.mul(tf.mul(0.5, x), tf.add(1, tf.erf(tf.mul(x, INVERSE_SQRT_2))))],
  gradient: {
    saved: ["x"],
    backward: (dy, { x }) => ({ x: () => geluGradient({ x, dy }, {})[0] }),
  },
});

/** Exact (erf) GELU: x Φ(x). Any shape. Reference: timm 0.3.2 uses torch.nn.GELU. */
export function gelu(x: Tensor): Tensor {
  return geluOp({ x }, {})[0];
}

const gatedSiluGateGradient = defineOp<"gate" | "up" | "dy", object>({
  name: "LuvitGatedSiluGateGradient",
  inputs: ["gate", "up", "dy"],
  outputs: ({ gate }) => sameShape(gate),
  compute: ({ gate, up, dy }, [dGate]) => {
    for (let i = 0; i < gate.length; i++) {
      const open = lookUp(sigmoid, gate[i]);
      dGate[i] = dy[i] * up[i] * open * (1 + gate[i] * (1 - open));
    }
  },
  composite: ({ gate, up, dy }) => {
    const sigmoid = tf.sigmoid(gate);
    const slope = tf.mul(sigmoid, tf.add(1, tf.mul(gate, tf.sub(1, sigmoid))));
    return [tf.mul(tf.mul(dy, up), slope)];
  },
});

const gatedSiluOp: (operands: Record<"gate" | "up", Tensor>, attributes: object) => Tensor[] = defineOp<
  "gate" | "up",
  object
>({
  name: "LuvitGatedSilu",
  inputs: ["gate", "up"],
  outputs: ({ gate }) => sameShape(gate),
  compute: ({ gate, up }, [y]) => {
    for (let i = 0; i < gate.length; i++) y[i] = gate[i] * lookUp(sigmoid, gate[i]) * up[i];
  },
  composite: ({ gate, up }) => [tf.mul(tf.mul(gate, tf.sigmoid(gate)), up)],
  gradient: {
    saved: ["gate", "up"],
    backward: (dy, { gate, up }) => ({
      gate: () => gatedSiluGateGradient({ gate, up, dy }, {})[0],
      up: () => gatedSiluOp({ gate, up: dy }, {})[0],
    }),
  },
});

/** silu(gate) * up, the inside of SwiGLU, with silu(x) = x sigmoid(x). Equal shapes. */
export function gatedSilu(gate: Tensor, up: Tensor): Tensor {
  return gatedSiluOp({ gate, up }, {})[0];
}

/** x sigmoid(x). */
export function silu(x: Tensor): Tensor {
  checkOptions("silu", tensorField, x);
  return gatedSilu(x, tf.onesLike(x));
}
