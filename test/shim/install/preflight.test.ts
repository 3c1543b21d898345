import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readEffective } from '../../../shim/containerd/effective.ts';
import type { ContainerdVersion } from '../../../shim/containerd/running.ts';
import { refusals } from '../../../shim/install/preflight.ts';

const PROVISIONS = {
  verdictKeys: '/nowhere/verdict.pub',
  hasBootstrapList: true,
  environment: 'TEMPORAL_ADDRESS=temporal.example:7233\n',
  distribution: { name: 'Linux' },
} as const;

/** What an installation says of a containerd of this version. */
async function ofVersion(version: ContainerdVersion): Promise<readonly string[]> {
  const told = await refusals(version, readEffective({ toml: '', warnings: '' }), PROVISIONS);
  return told.filter((one) => one.startsWith('containerd '));
}

describe('before anything is changed', () => {
  for (const version of [
    [1, 7, 28],
    [2, 0, 5],
  ] as const) {
    it(`an installation refuses containerd ${version.join('.')}, which asks nobody for the kubelet's pulls`, async () => {
      assert.deepEqual(await ofVersion(version), [
        `containerd ${version.join('.')}: the kubelet's pulls are verified from 2.1 on; 2.0 verifies those of ctr, 1.7 none. upgrade containerd to 2.2 or later`,
      ]);
    });
  }

  it('an installation takes a containerd from 2.1 on', async () => {
    for (const version of [
      [2, 1, 0],
      [2, 3, 3],
      [3, 0, 0],
    ] as const) {
      assert.deepEqual(await ofVersion(version), []);
    }
  });

  it('an installation tells every reason at once', async () => {
    const told = await refusals([1, 7, 28], readEffective({ toml: '', warnings: '' }), {
      ...PROVISIONS,
      ...{ hasBootstrapList: false, environment: '' },
    });
    for (const start of ['containerd 1.7.28', 'no verdict key', 'no bootstrap list', 'no TEMPORAL_ADDRESS']) {
      assert.equal(told.filter((one) => one.startsWith(start)).length, 1, `${start}: ${told.join('\n')}`);
    }
  });
});
