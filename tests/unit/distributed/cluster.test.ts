import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { commands } from "../../../src/commandLine/main";
import { packageRoot } from "../../../src/core/packageRoot";

/* The files for clusters that docs/many-machines.md shows. */

const folder = join(packageRoot(), "cluster");
const batchFiles = readdirSync(folder).filter((name) => name.endsWith(".sbatch"));
const textOf = (name: string) => readFileSync(join(folder, name), "utf8");

/** Words of a command line after `luvit`. */
function expectKnownWords(words: readonly string[]): void {
  const chosen = commands.find(({ name }) => name === words[0]);
  assert.ok(chosen, `luvit ${words.join(" ")}`);
  const flags = words.filter((word) => word.startsWith("--")).map((word) => word.slice(2));
  for (const flag of flags) assert.ok(flag in chosen.flags, `luvit ${words[0]} has no --${flag}`);
}

test("files for sbatch are shell that parses, with options before the first command, and words that luvit knows", () => {
  assert.deepEqual(batchFiles.sort(), ["evaluate.sbatch", "luvit.sbatch"]);
  for (const name of batchFiles) {
    const { status, stderr } = spawnSync("bash", ["-n", join(folder, name)], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const lines = textOf(name).split("\n");
    assert.equal(lines[0], "#!/bin/bash");
    const first = lines.findIndex((line) => line !== "" && !line.startsWith("#"));
    assert.ok(
      lines.every((line, i) => !line.startsWith("#SBATCH") || i < first),
      name,
    );
    const calls = lines.filter((line) => !line.startsWith("#") && line.includes("npx luvit "));
    assert.equal(calls.length, 1);
    expectKnownWords(calls[0].split("npx luvit ")[1].split(" "));
  }
});

const hasScheduler = spawnSync("scontrol", ["ping"]).status === 0;

test("files for sbatch are taken by a scheduler", {
  skip: hasScheduler ? false : "no SLURM answers here (scontrol ping): sbatch --test-only was not asked",
}, () => {
  for (const name of batchFiles) {
    const asked = spawnSync("sbatch", ["--test-only", join(folder, name)], { encoding: "utf8" });
    assert.equal(asked.status, 0, `${name}: ${asked.stderr}`);
  }
});

interface Container {
  name: string;
  image: string;
  command?: string[];
  volumeMounts?: { name: string; mountPath: string }[];
}

interface Replica {
  replicas: number;
  restartPolicy?: string;
  template: { spec: { containers: Container[]; volumes?: { name: string }[] } };
}

/** What kubeflow.org/v2beta1 demands of an MPIJob, by its API's documentation; its schema is not at hand here. */
test("the MPIJob has what kubeflow.org/v2beta1 demands, and starts as many workers as it has", () => {
  const job = parse(textOf("mpijob.yaml"));
  assert.deepEqual(Object.keys(job).sort(), ["apiVersion", "kind", "metadata", "spec"]);
  assert.equal(job.apiVersion, "kubeflow.org/v2beta1");
  assert.equal(job.kind, "MPIJob");
  assert.match(job.metadata.name, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  const known = [
    "slotsPerWorker",
    "runPolicy",
    "mpiReplicaSpecs",
    "sshAuthMountPath",
    "launcherCreationPolicy",
  ];
  for (const key of Object.keys(job.spec)) assert.ok([...known, "mpiImplementation"].includes(key), key);
  assert.ok(["None", "Running", "All"].includes(job.spec.runPolicy.cleanPodPolicy));
  const {
    Launcher: launcher,
    Worker: worker,
    ...others
  } = job.spec.mpiReplicaSpecs as Record<string, Replica>;
  assert.deepEqual(others, {});
  assert.equal(launcher.replicas, 1);
  for (const { replicas, restartPolicy, template } of [launcher, worker]) {
    assert.ok(Number.isInteger(replicas) && replicas > 0);
    assert.ok(restartPolicy === undefined || ["Never", "OnFailure"].includes(restartPolicy));
    const { containers, volumes = [] } = template.spec;
    assert.ok(containers.length > 0);
    for (const { name, image, volumeMounts = [] } of containers) {
      assert.ok(/^[a-z0-9-]+$/.test(name) && image.length > 0);
      for (const mount of volumeMounts)
        assert.ok(
          volumes.some((volume) => volume.name === mount.name),
          mount.name,
        );
    }
  }
  const words = launcher.template.spec.containers[0].command!;
  assert.ok(words.every((word) => typeof word === "string"));
  assert.equal(Number(words[words.indexOf("-n") + 1]), worker.replicas * job.spec.slotsPerWorker);
  expectKnownWords(words.slice(words.indexOf("luvit") + 1));
});
