import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROGRAM = fileURLToPath(new URL('private-network.ts', import.meta.url));
/** Addresses of both kinds, on a machine of its own. */
const SET_UP = `ip link set lo up
for address in 10.77.0.1 10.77.0.2 8.8.8.8 8.8.4.4; do ip address add $address/32 dev lo; done
exec "$0" "$1"`;

describe('a registry on a private network', () => {
  it('may refer to its neighbours, and a public one, also on the way, may not', async () => {
    const run = ['--net', 'sh', '-e', '-c', SET_UP, process.execPath, PROGRAM];
    const { stdout } = await promisify(execFile)('unshare', run);
    assert.deepEqual(JSON.parse(stdout), {
      'registry.corp: storage': 'private /blob',
      'registry.corp: realm': 'private /token',
      'registry.corp: loopback': 'REGISTRY_INTERNAL_ADDRESS',
      'registry.corp: detour': 'REGISTRY_INTERNAL_ADDRESS',
      'registry.corp: challenge of another': 'REGISTRY_INTERNAL_ADDRESS',
      'registry.example: storage': 'REGISTRY_INTERNAL_ADDRESS',
      'registry.example: realm': 'REGISTRY_INTERNAL_ADDRESS',
      'moving.example: storage': 'REGISTRY_INTERNAL_ADDRESS',
    });
  });
});
