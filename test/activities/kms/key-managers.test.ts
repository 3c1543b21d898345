import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadKeyManager } from '../../../activities/kms/key-managers.ts';

const CLIENTS = /^import (?!type ).*from '(?:@aws-sdk|@azure|@google-cloud)\//m;

describe('what asks a KMS', () => {
  it('is there for each provider, and asks nobody until it is asked', async () => {
    for (const provider of ['awskms', 'hashivault', 'openbao', 'gcpkms', 'azurekms'] as const) {
      const manager = await loadKeyManager(provider);
      assert.deepEqual(Object.keys(manager).sort(), ['describe', 'sign', 'verify'], provider);
    }
  });

  it('is loaded without the clients of the services, which are big', () => {
    const cwd = fileURLToPath(new URL('../../../activities', import.meta.url));
    const files = globSync('**/*.ts', { cwd });
    assert.ok(files.includes('kms/azure/api.ts'));
    const eager = files.filter((file) => CLIENTS.test(readFileSync(`${cwd}/${file}`, 'utf8')));
    assert.deepEqual(eager, []);
    assert.match("import { KMSClient } from '@aws-sdk/client-kms';", CLIENTS);
  });
});
