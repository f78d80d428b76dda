import { Socket } from "node:net";

/*
 * A thread of the engine process that waits for its standard input to close. The main thread can be inside a native call
 * for minutes; this one ends the process at once when nobody is left to take the result.
 */

const end = () => void process.kill(process.pid, "SIGKILL");
new Socket({ fd: 0, readable: true, writable: false }).on("error", end).on("close", end).resume();
