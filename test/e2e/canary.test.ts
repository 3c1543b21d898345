import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeRelease } from '../../infra/release.ts';
import type { ContainerdVersion } from '../../infra/stack/containerd.ts';
import { type House, startHouse } from '../../infra/stack/house.ts';
import { renderTable } from '../bench/table.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type BareNode, MAIN_FILES, startBareNode } from './installed-node.ts';
import { TRIGGERS, type Trigger } from './installed-triggers.ts';

const PORTCULLIS = '/opt/portcullis/current/portcullis';
const DROP_IN = '/etc/containerd/conf.d/zz-portcullis.toml';
const BIN_DIR = '/opt/containerd/image-verifier/bin';

let house: House;
let release: string;
const parts = new AsyncDisposableStack();
const rows: string[][] = [['trigger', 'containerd', 'doctor says', 'canary by cri', 'canary by ctr']];

before(async () => {
  const { path: dir } = parts.use(await temporaryFolder());
  house = await startHouse({ dir });
  parts.defer(() => house.stop());
  release = join(dir, 'release');
  await makeRelease(release);
});
after(async () => {
  await parts.disposeAsync();
  console.log(renderTable(rows));
});

/** What doctor and canary say of a node, and what the canary left there. */
async function examine(node: BareNode) {
  const doctor = await node.run(PORTCULLIS, 'doctor', '--output', 'json');
  const canary = await node.run(PORTCULLIS, 'canary', '--ctr', node.ctr, '--output', 'json');
  // the commands print what these types say
  const { findings } = JSON.parse(doctor.stdout) as { findings: readonly { id: string; severity: string }[] };
  const results = JSON.parse(canary.stdout) as readonly { outcome: string }[];
  const serious = findings.filter(({ severity }) => severity !== 'weak').map(({ id }) => id);
  const namespaces = (await node.run(node.ctr, 'namespaces', 'ls', '-q')).stdout.split('\n');
  return {
    doctor: { code: doctor.code, serious },
    canary: { code: canary.code, outcomes: results.map(({ outcome }) => outcome) },
    left: [
      ...(await node.run(node.ctr, '-n', 'k8s.io', 'images', 'ls', '-q')).stdout.split('\n'),
      ...namespaces.filter((name) => name !== 'k8s.io'),
    ].filter((line) => line !== ''),
  };
}

/** Makes it happen, until the end of a block. */
async function disturb(node: BareNode, change: Trigger['change'], folder: Trigger['folder']): Promise<AsyncDisposable> {
  const written = await readFile(node.path(DROP_IN), 'utf8');
  const set = async (text: string) => {
    if (change === undefined) return;
    await writeFile(node.path(DROP_IN), text);
    assert.equal((await node.restartContainerd()).code, 0);
  };
  await set((change ?? String)(written));
  await folder?.(node.path(BIN_DIR));
  return {
    async [Symbol.asyncDispose]() {
      await rm(node.path(BIN_DIR), { recursive: true, force: true });
      await mkdir(node.path(BIN_DIR));
      await copyFile(join(release, 'portcullis-verifier'), join(node.path(BIN_DIR), 'portcullis-verifier'));
      await set(written);
    },
  };
}

const VERSIONS: Readonly<Record<ContainerdVersion, string>> = { current: '2.4', previous: '2.3', older: '2.2' };

describe('an installed node', { concurrency: 3 }, () => {
  for (const [version, line] of Object.entries(VERSIONS) as [ContainerdVersion, string][]) {
    describe(`with containerd ${line}`, { concurrency: 1 }, () => {
      let node: BareNode;
      before(async () => {
        node = await startBareNode(house.dir, { version, main: MAIN_FILES[version] });
        parts.defer(() => node.cut());
      });

      it('was installed by one command, is clean, green, and stays as it is', async () => {
        const install = [join(release, 'portcullis'), 'install'] as const;
        const given = ['--verdict-keys', house.verdictPublicKey, '--temporal', house.temporal.address];
        const first = await node.run(...install, ...given, '--bootstrap', 'none');
        assert.equal(first.code, 0, first.stdout + first.stderr);
        const again = await node.run(...install);
        assert.equal(again.code, 0, again.stderr);
        assert.match(again.stdout, /^nothing to change$/m);
      });

      it('is put right by doctor --fix', async () => {
        await writeFile(node.path(DROP_IN), 'version = 3\n');
        await rm(join(node.path(BIN_DIR), 'portcullis-verifier'));
        await node.restartContainerd();
        assert.equal((await examine(node)).canary.code, 1);
        const fixed = await node.run(PORTCULLIS, 'doctor', '--fix');
        assert.equal(fixed.code, 0, fixed.stdout + fixed.stderr);
        const { doctor, canary } = await examine(node);
        assert.deepEqual([doctor.code, canary.code], [0, 0]);
      });

      for (const [name, trigger] of Object.entries(TRIGGERS)) {
        it(`names it when this happens: ${name}`, async () => {
          const { change, folder } = trigger;
          const { doctor, canary } = version === 'older' ? (trigger.older ?? trigger) : trigger;
          await using _ = await disturb(node, change, folder);
          const found = await examine(node);
          rows.push([name, line, found.doctor.serious.join(', ') || 'nothing', ...found.canary.outcomes]);
          const isGreen = canary.every((outcome) => outcome === 'green');
          assert.deepEqual(found.doctor, { code: doctor.length === 0 ? 0 : 1, serious: doctor });
          assert.deepEqual(found.canary, { code: isGreen ? 0 : 1, outcomes: canary });
          assert.deepEqual(found.left, []);
        });
      }
    });
  }
});
